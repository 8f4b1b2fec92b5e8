"""The pipeline: the table of stages, and planning, launching and recording them."""
