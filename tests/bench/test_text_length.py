"""bench.text_length: items and texts of known lengths, and figures of a forked process."""

from __future__ import annotations

import pytest

from bench.text_length import item, measured
from rectune.rankers.item_text import TEXT_BUDGET, item_text, word_count


@pytest.mark.parametrize("words", [40, 640, 10_000])
def test_descriptions_are_about_as_long_as_asked_and_texts_within_the_budget(words: int):
    made = item(3, words)
    assert abs(word_count(made.description) - words) <= 14
    assert word_count(item_text(made, "title+description")) <= TEXT_BUDGET


def test_a_cell_is_measured_in_a_process_of_its_own():
    seen = []

    def cell(first: int, second: int) -> dict[str, float]:
        seen.append(first)
        return {"sum": first + second}

    assert measured(cell, 2, 3) == {"sum": 5} and not seen
