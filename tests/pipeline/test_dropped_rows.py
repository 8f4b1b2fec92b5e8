"""What a stage dropped is told with its reasons, and where it is much, with the keys to turn."""

from __future__ import annotations

from pathlib import Path

import pytest

from rectune.core.figures import BaseFigures, QueriesFigures, SftFigures
from rectune.core.recipe import Recipe, load_recipe
from rectune.pipeline.dropped_rows import dropped_lines
from tests.core.filled import record


@pytest.fixture(scope="module")
def recipe() -> Recipe:
    return load_recipe(Path("demo"))


def test_prompts_that_are_too_long_are_told_with_lengths_that_hold_them(recipe: Recipe) -> None:
    dropped = {"every query refused": 8, "too long": 107}
    figures = record(QueriesFigures, rows_in=172, dropped=dropped, longest_lost=900)
    table, warning = dropped_lines(figures, recipe)
    assert table == "dropped: 8 every query refused, 107 too long"
    assert "115 of 172 rows are lost (67%)" in warning and "generate.attempts" in warning
    turned = [word for word in warning.replace(";", "").split() if "=" in word]
    assert turned == ["prompts.max_tokens=900", "train.max_length=1092", "align.max_length=1156"]
    assert load_recipe(Path("demo"), turned).prompts.max_tokens == 900


def test_a_tenth_is_no_warning_and_nothing_lost_is_nothing_said(recipe: Recipe) -> None:
    ten, none, eleven = (record(SftFigures, rows_in=100, dropped={"too_long": n}) for n in (10, 0, 11))
    assert dropped_lines(ten, recipe) == ["dropped: 10 too long"]
    assert dropped_lines(none, recipe) == [] == dropped_lines(record(BaseFigures), recipe)
    (_, warning) = dropped_lines(eleven, recipe)
    assert "train.max_length is 640" in warning
