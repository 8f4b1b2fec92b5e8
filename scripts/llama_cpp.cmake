# CMake includes this file where llama.cpp's own project begins (CMAKE_PROJECT_llama.cpp_INCLUDE): only its library is
# compiled. llama-cpp-python switches the code that its programs share on, and no option of it switches that off.
set(LLAMA_BUILD_COMMON OFF CACHE BOOL "llama.cpp: what its programs share" FORCE)
