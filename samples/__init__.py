"""Sample data in the published file formats, and the program that writes it."""
