#!/usr/bin/env bash
# Build the virtual environment. Needs Python 3.11 or newer with venv, and a C++ compiler (llama.cpp is compiled).
# EXTRAS: extras of pyproject.toml to install, as dev; `all` is whatever runs on one machine.
# CMAKE_ARGS: passed on to llama.cpp, as -DGGML_CUDA=on.
set -euo pipefail
PYTHON=${PYTHON:-python3}
VENV=${VENV:-.venv}
EXTRAS=${EXTRAS:-all}
WHEELS=$VENV/wheels

say() { echo "setup: $1 ($((SECONDS / 60)) min $((SECONDS % 60)) s)"; }
stop() {
  echo "setup: $1; fix$2" >&2
  exit 2
}
# Python compiles a module when it is first imported: most never are, and the large ones are below.
pip() { "$VENV/bin/python" -m pip "$1" -qq --disable-pip-version-check --constraint constraints.txt "${@:2}"; }

"$PYTHON" -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
  stop "$PYTHON is older than Python 3.11" ": make setup PYTHON=python3.11"
command -v c++ >/dev/null || stop "no C++ compiler" " (Debian): apt-get install g++"
[ -x "$VENV/bin/python" ] || "$PYTHON" -m venv "$VENV" ||
  stop "cannot make a virtual environment" " (Debian): apt-get install python3-venv"
mkdir -p "$WHEELS"
pip install --upgrade pip # what comes with Python 3.11 takes twice the time

# llama.cpp is compiled beside the installation of everything else: its library alone, without programs and what sees
# pictures. ccache is used where it is there.
export CMAKE_ARGS="-DLLAVA_BUILD=OFF -DCMAKE_PROJECT_llama.cpp_INCLUDE=$PWD/scripts/llama_cpp.cmake ${CMAKE_ARGS:-}"
if command -v ccache >/dev/null; then
  export CMAKE_C_COMPILER_LAUNCHER=ccache CMAKE_CXX_COMPILER_LAUNCHER=ccache
  export CCACHE_BASEDIR=${TMPDIR:-/tmp} CCACHE_NOHASHDIR=1 # pip compiles in another folder each time
fi
say "step 1 of 4: PyTorch, while llama.cpp is compiled (a minute or two on two cores, once)"
pip wheel --no-deps --find-links "$WHEELS" --wheel-dir "$WHEELS" llama-cpp-python &
COMPILING=$!
trap 'kill $COMPILING 2>/dev/null || true' EXIT
# torch by its pin and first: unpinned, pip may fetch a build with several GB of accelerator packages.
pip install --no-compile torch
say "step 2 of 4: all other packages"
"$VENV/bin/python" scripts/requirements.py "$EXTRAS" >"$VENV/requirements.txt"
pip install --no-compile --requirement "$VENV/requirements.txt"
"$VENV/bin/python" scripts/warm_up.py >/dev/null 2>&1 &
IMPORTING=$!
say "step 3 of 4: waiting for llama.cpp"
wait $COMPILING
pip install --no-compile --find-links "$WHEELS" --editable ".[$EXTRAS]"
CONFLICTS=$("$VENV/bin/python" -m pip check) || stop "$CONFLICTS" ": rm -r $VENV, and make setup again"
say "step 4 of 4: the GGUF converter, of the same commit as the runtime"
"$VENV/bin/python" -m rectune.models.fetch_converter
kill $IMPORTING 2>/dev/null || true # what is not compiled by now is when it is first imported
say "done; .venv/bin/rectune doctor says what works on this machine"
