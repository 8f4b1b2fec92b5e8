#!/usr/bin/env bash
# Measures rectune on a machine with an NVIDIA GPU, in at most 8 minutes:
# bench/gpu.sh [train] [stages] [llama]
# Ahead of them, or beside them on other cores: bench/gpu.sh build, which compiles llama.cpp for llama.
#
#   train   tuning a 7B-shaped model against a bare trl: tokens/s, MFU, memory against its estimate
#   stages  the stages sft and dpo with the embedded model, with and without DeepSpeed
#   llama   the engine on a 7B-shaped GGUF model with 1, 8, 32 and 128 sequences
#
# Each part has its time limit, and where one fails the others go on. Figures: $OUT/PART.json and PART.txt.
#   OUT           folder for the figures (default: a new one, which is printed)
#   ROWS          folder of `python -m bench.gpu_rows` or of a run's files (default: made here)
#   PYTHON        the interpreter (default: .venv/bin/python, else python3)
#   LLAMA_SOURCE  an unpacked source distribution of llama-cpp-python; where the installed one has no CUDA,
#                 llama.cpp is built in it, for sm_90 or CUDA_ARCH (needs nvcc, cmake, ninja; goes on where
#                 an earlier build was cut short)
#   TINY=1        smallest sizes, to try the script on a CPU
set -u -o pipefail
cd "$(dirname "$0")/.." || exit 2
[ -x .venv/bin/python ] && here=.venv/bin/python || here=python3
PYTHON=${PYTHON:-$here}
OUT=${OUT:-$(mktemp -d)}
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
export PYTHONUNBUFFERED=1 PYTHONPATH="$PWD${PYTHONPATH:+:$PYTHONPATH}"
# 14 GB are written and read again: in memory where it is large.
room=$(df --output=avail -k /dev/shm 2>/dev/null | tail -1)
[ "${room:-0}" -gt 41943040 ] && export TMPDIR=/dev/shm
failed=0

part() { # NAME SECONDS: runs bench.gpu_NAME; its last 30 seconds are for what it does after measuring
  local limit=${TINY:+600}
  limit=${limit:-$2}
  echo "== $1"
  timeout -k 5 "$limit" "$PYTHON" -m "bench.gpu_$1" --rows "$ROWS" --out "$OUT" --seconds "$((limit - 30))" \
    ${TINY:+--tiny} 2>&1 | tee "$OUT/$1.txt"
  status=$?
  [ "$status" = 0 ] || { echo "$1: failed or out of time (status $status)" | tee -a "$OUT/$1.txt"; failed=1; }
}

offloads() {
  "$PYTHON" -c 'import llama_cpp, sys; sys.exit(not llama_cpp.llama_supports_gpu_offload())' 2>/dev/null
}

# pip's CUDA packages lie outside the toolkit: their libraries are needed to build and to run.
pip_cuda=$("$PYTHON" -c 'import importlib.util as u; s = u.find_spec("nvidia")
print(next((p + "/cu13" for p in s.submodule_search_locations), "") if s else "")' 2>/dev/null)
[ -d "$pip_cuda/lib" ] && export LD_LIBRARY_PATH="$pip_cuda/lib${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"

build_llama() { # only libllama and what it needs; into llama_cpp/lib of the source
  local nvcc flags=()
  nvcc=$(command -v nvcc || echo /usr/local/cuda/bin/nvcc)
  if [ -e "$pip_cuda/lib/libcublas.so.13" ]; then
    mkdir -p "$LLAMA_SOURCE/cublas" && ln -sf "$pip_cuda"/include/cublas*.h "$LLAMA_SOURCE/cublas/"
    flags=("-DCMAKE_CUDA_FLAGS=-I$LLAMA_SOURCE/cublas" "-DCMAKE_CXX_FLAGS=-I$LLAMA_SOURCE/cublas"
      "-DCUDA_cublas_LIBRARY=$pip_cuda/lib/libcublas.so.13"
      "-DCUDA_cublasLt_LIBRARY=$pip_cuda/lib/libcublasLt.so.13")
  fi
  # Without VMM nothing is linked against the driver, whose library need not be where the compiler looks.
  cmake -G Ninja -S "$LLAMA_SOURCE/vendor/llama.cpp" -B "$LLAMA_SOURCE/build" -DCMAKE_BUILD_TYPE=Release \
    -DBUILD_SHARED_LIBS=ON -DGGML_CUDA=ON "-DCMAKE_CUDA_ARCHITECTURES=${CUDA_ARCH:-90}-real" \
    "-DCMAKE_CUDA_COMPILER=$nvcc" -DGGML_CUDA_NO_VMM=ON -DGGML_CUDA_NCCL=OFF -DGGML_CUDA_FA_QUANTS=f16-f16 \
    -DGGML_CUDA_FA_ALL_QUANTS=OFF -DGGML_CUDA_COMPRESSION_MODE=none -DGGML_OPENMP=OFF -DLLAMA_CURL=OFF \
    -DLLAMA_BUILD_COMMON=OFF -DLLAMA_BUILD_TESTS=OFF -DLLAMA_BUILD_TOOLS=OFF -DLLAMA_BUILD_EXAMPLES=OFF \
    -DLLAMA_BUILD_SERVER=OFF -DLLAMA_BUILD_APP=OFF -DCMAKE_BUILD_WITH_INSTALL_RPATH=ON \
    '-DCMAKE_INSTALL_RPATH=$ORIGIN' ${flags[@]+"${flags[@]}"} &&
    cmake --build "$LLAMA_SOURCE/build" --target llama &&
    mkdir -p "$LLAMA_SOURCE/llama_cpp/lib" &&
    cp -a "$LLAMA_SOURCE"/build/bin/*.so* "$LLAMA_SOURCE/llama_cpp/lib/"
}

build() { # at most 5 minutes; one at a time, so that a second one waits for the first
  [ -n "${LLAMA_SOURCE:-}" ] || { echo "build: LLAMA_SOURCE is not set" >&2; return 2; }
  export PYTHONPATH="$LLAMA_SOURCE:$PYTHONPATH" LLAMA_SOURCE pip_cuda
  offloads && return
  SECONDS=0
  export -f build_llama
  flock "$LLAMA_SOURCE" timeout -k 5 300 bash -c build_llama >>"$OUT/build.txt" 2>&1
  echo "build: status $?, $SECONDS s"
  offloads || tail -20 "$OUT/build.txt"
}

mkdir -p "$OUT"
echo "figures go to $OUT"
command -v nvidia-smi >/dev/null &&
  nvidia-smi --query-gpu=name,memory.total,memory.used,driver_version --format=csv
if [ -z "${ROWS:-}" ] && [ "$*" != build ]; then
  ROWS=$scratch/rows
  "$PYTHON" -m bench.gpu_rows "$ROWS" ${TINY:+--examples 12 --pairs 6} || exit 1
fi
for name in ${*:-train stages llama}; do
  case $name in
    train) part train 200 ;;
    stages) part stages 180 ;;
    build) build ;;
    llama)
      [ -n "${TINY:-}${LLAMA_SOURCE:+x}" ] || offloads || echo "llama: this llama-cpp-python has no CUDA"
      [ -z "${LLAMA_SOURCE:-}" ] || build
      part llama 100 ;;
    *) echo "no part $name; there are: train stages llama build" >&2; exit 2 ;;
  esac
done
exit "$failed"
