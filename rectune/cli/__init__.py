"""The command line: parses options and calls the modules that do the work."""
