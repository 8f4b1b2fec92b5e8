"""Benchmarks: each prints our time and another library's as a ratio. `make bench-NAME` runs one."""
