"""What the report is made of: the figures it gathers, the charts it draws, the templates it fills."""
