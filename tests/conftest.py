"""Shared by all tests: hypothesis without deadlines, since machines are shared; the longest files first."""

import pytest
from hypothesis import settings

settings.register_profile("rectune", deadline=None, max_examples=50)
settings.load_profile("rectune")

# Two processes share the tests, a file each: with these at the end, one of them would wait for minutes.
_FIRST = ("test_tiny.py",)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the longest files; all others stay in their order."""
    items.sort(key=lambda item: item.path.name not in _FIRST)
