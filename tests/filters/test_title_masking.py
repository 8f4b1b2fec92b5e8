"""Titles are taken out whole, and nothing but titles."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rectune.filters.title_masking import MASK, mask, runs, segments


@pytest.mark.parametrize(
    ("text", "titles", "wanted"),
    [
        ("See Heat tonight", ["Heat"], "See # tonight"),
        ("see heat, HEAT!", ["Heat"], "see #, #!"),
        ("Heathrow and preheat", ["Heat"], "Heathrow and preheat"),
        ("Alien Resurrection", ["Alien", "Alien Resurrection"], "#"),
        ("기생충을 보고", ["기생충"], "#을 보고"),
        ("Heat를 보고", ["Heat"], "#를 보고"),
        ("www.x.com: yes", ["www.x.com"], "#: yes"),
        ("a  title", ["a title"], "a  title"),
        ("a title", ["a  title "], "#"),
        ("Go! Go! Go!", ["Go!"], "# # #"),
        ("İstanbul is Heat", ["Heat"], "İstanbul is #"),
        ("nothing", ["", " "], "nothing"),
    ],
)
def test_what_is_masked(text: str, titles: list[str], wanted: str) -> None:
    assert mask(text, titles) == wanted.replace("#", MASK)


@given(st.text(max_size=60), st.lists(st.text(max_size=8), max_size=5))
def test_order_of_titles_does_not_matter_and_nothing_is_added(text: str, titles: list[str]) -> None:
    masked = mask(text, titles)
    assert masked == mask(text, titles[::-1])
    left = iter(text)
    assert all(letter in left for letter in masked.replace(MASK, ""))


def test_runs_do_not_cross_a_title() -> None:
    assert segments(f"One two {MASK} three") == [["one", "two"], ["three"]]
    assert runs([["a", "b", "c"], ["d", "e"]], 2) == [("a", "b"), ("b", "c"), ("d", "e")]
