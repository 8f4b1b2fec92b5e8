"""bench.text_length: items and prompts of known lengths; the child that measures one cell."""

from __future__ import annotations

import json
import sys

import pytest

from bench.text_length import item, main
from rectune.rankers.item_text import TEXT_BUDGET, item_text, word_count


@pytest.mark.parametrize("words", [40, 640, 10_000])
def test_descriptions_are_about_as_long_as_asked_and_texts_within_the_budget(words: int):
    made = item(3, words)
    assert abs(word_count(made.description) - words) <= 14
    assert word_count(item_text(made, "title+description")) <= TEXT_BUDGET


@pytest.mark.slow
def test_a_cell_is_a_line_of_figures(monkeypatch: pytest.MonkeyPatch, capsys):
    monkeypatch.setattr(sys, "argv", ["text_length", "--one", "embedded", "640", "4", "1"])
    main()
    found = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert 100 < found["words"] <= TEXT_BUDGET and found["peak"] >= 0
