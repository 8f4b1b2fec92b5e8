"""Formatting figures and untrusted text for terminals, pages and cards."""
