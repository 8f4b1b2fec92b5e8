"""The command line: options are read here, and the work is in the modules that are called."""
