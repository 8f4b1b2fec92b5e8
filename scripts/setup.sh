#!/usr/bin/env bash
# Build the virtual environment. Needs Python 3.11 or newer with venv, and a C++ compiler (llama.cpp is compiled).
# EXTRAS: extras of pyproject.toml to install, as dev; `all` is whatever runs on one machine.
set -euo pipefail
PYTHON=${PYTHON:-python3}
VENV=${VENV:-.venv}
EXTRAS=${EXTRAS:-all}

"$PYTHON" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || {
  echo "setup: $PYTHON is older than Python 3.11; fix: make setup PYTHON=python3.11" >&2
  exit 2
}
command -v c++ >/dev/null || {
  echo "setup: no C++ compiler; fix (Debian): apt-get install g++" >&2
  exit 2
}
[ -x "$VENV/bin/python" ] || "$PYTHON" -m venv "$VENV" || {
  echo "setup: cannot make a virtual environment; fix (Debian): apt-get install python3-venv" >&2
  exit 2
}
install() {
  "$VENV/bin/python" -m pip install --quiet --disable-pip-version-check --constraint constraints.txt "$@"
}
# pip is silent while it compiles: a line every half minute says that something still happens.
(while sleep 30 >/dev/null 2>&1; do echo "setup: $((SECONDS / 60)) min $((SECONDS % 60)) s"; done) &
trap 'kill %1 2>/dev/null || true' EXIT

echo "setup: installing into $VENV: PyTorch, step 1 of 3"
install pip
# torch by its pin and first: unpinned, pip may fetch a build with several GB of accelerator packages.
install torch
echo "setup: all other packages, step 2 of 3 (llama.cpp is compiled: several minutes on two cores, once)"
install --editable ".[$EXTRAS]"
"$VENV/bin/python" -m pip check
echo "setup: the GGUF converter, of the same commit as the runtime, step 3 of 3"
"$VENV/bin/python" -m rectune.models.fetch_converter
