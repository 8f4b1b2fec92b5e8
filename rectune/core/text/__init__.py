"""Text that comes from elsewhere, made fit to be shown."""
