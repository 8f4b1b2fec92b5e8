"""Benchmarks: each prints our time and a named rival's in one run, as a ratio. `make bench-NAME` runs one."""
