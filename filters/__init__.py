"""Filtering responses before training: the response score, other rules, and records of what is dropped."""
