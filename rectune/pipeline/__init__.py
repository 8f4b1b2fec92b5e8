"""The roof: the table of stages, how they are planned, launched and recorded, and the command line."""
