"""Sample data in the eight published file formats, and the program that writes it."""
