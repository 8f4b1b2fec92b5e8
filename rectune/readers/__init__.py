"""Reading files that other people wrote."""
