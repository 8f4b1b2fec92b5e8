#!/usr/bin/env bash
# Build the virtual environment. Needs Python 3.11 or newer with venv, and a C++ compiler (llama.cpp is compiled).
set -euo pipefail
PYTHON=${PYTHON:-python3}
VENV=${VENV:-.venv}

"$PYTHON" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || {
  echo "setup: $PYTHON is older than Python 3.11; mend: make setup PYTHON=python3.11" >&2
  exit 2
}
command -v c++ >/dev/null || {
  echo "setup: no C++ compiler; mend (Debian): apt-get install g++" >&2
  exit 2
}
[ -x "$VENV/bin/python" ] || "$PYTHON" -m venv "$VENV" || {
  echo "setup: cannot make a virtual environment; mend (Debian): apt-get install python3-venv" >&2
  exit 2
}
echo "setup: installing into $VENV (compiling llama.cpp takes several minutes on two cores, once)"
"$VENV/bin/python" -m pip install --quiet --disable-pip-version-check --constraint constraints.txt pip
# torch by its pin and first: unpinned, pip may fetch a build with several GB of accelerator packages.
"$VENV/bin/python" -m pip install --quiet --disable-pip-version-check --constraint constraints.txt torch
"$VENV/bin/python" -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable ".[dev]"
"$VENV/bin/python" -m pip check
# The GGUF converter, of the same commit as the runtime.
"$VENV/bin/python" -m models.fetch_converter
