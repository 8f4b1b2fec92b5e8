"""Shared by all tests: hypothesis without deadlines, because machines are shared and noisy."""

from hypothesis import settings

settings.register_profile("rectune", deadline=None, max_examples=50)
settings.load_profile("rectune")
