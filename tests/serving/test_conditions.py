"""Ranges of years and of the numbers that facts have, however a catalogue writes them."""

from __future__ import annotations

import pytest

from rectune.core.types import Item
from rectune.serving.conditions import Range, conditions


@pytest.mark.parametrize(
    ("value", "number"),
    [
        ("12,99", 12.99), ("€ 1.234,5", 1234.5), ("1,234.50", 1234.5), ("12,345,678", 12_345_678),
        ("1,5-2,5", 1.5), ("-5", -5), ("$-5", -5), ("approx-90 min", 90), ("3, 4", 3), ("3.5", 3.5),
    ],
)  # fmt: skip
def test_the_number_of_a_fact_is_read_as_it_is_written(value: str, number: float):
    items = {"a": Item("movies", "a", "A", facts=(f"price: {value}",)), "b": Item("movies", "b", "B")}
    items["least"] = Item("movies", "least", "Least", facts=("price: -1000",))
    for wanted, found in ((Range(number, number), {"a"}), (Range(None, number - 0.01), {"least"})):
        assert conditions(items, (), {"price": wanted}).within == found


def test_years_between_two_others_are_whole():
    assert conditions({}, (), {"year": Range(1999.5, 2005.5)}).where == {"year": (2000, 2005)}
    assert conditions({}, (), {"year": Range(None, 0)}).where == {"year": (None, 0)}
