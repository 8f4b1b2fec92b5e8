"""What a stage dropped is told with its reasons, and where it is much, with the keys to turn."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import pytest

from rectune.core.figures import QueriesFigures
from rectune.core.figures.record import RowCounts, StageRecord
from rectune.core.recipe import Recipe, load_recipe
from rectune.pipeline.dropped_rows import dropped_lines


@pytest.fixture(scope="module")
def recipe() -> Recipe:
    return load_recipe(Path("demo"))


def test_prompts_that_are_too_long_are_told_with_lengths_that_hold_them(recipe: Recipe) -> None:
    dropped = {"every query refused": 8, "too long": 107}
    figures = QueriesFigures(
        rows_in=172, rows_out=57, dropped=dropped, longest_lost=900, shortened=0, left_out=0,
        asked_passively_instead=0, queries=8, refused={}, kinds={},
    )  # fmt: skip
    table, warning = dropped_lines(figures, recipe)
    assert table == "dropped: 8 every query refused, 107 too long"
    assert "115 of 172 rows are lost (67%)" in warning and "generate.attempts" in warning
    turned = [word for word in warning.replace(";", "").split() if "=" in word]
    assert turned == ["prompts.max_tokens=900", "train.max_length=1092", "align.max_length=1156"]
    assert load_recipe(Path("demo"), turned).prompts.max_tokens == 900


class Sft(RowCounts):
    stage: ClassVar[str] = "sft"


class Base(StageRecord):
    stage: ClassVar[str] = "base"


def test_a_tenth_is_no_warning_and_nothing_lost_is_nothing_said(recipe: Recipe) -> None:
    def sft(lost: int) -> list[str]:
        return dropped_lines(Sft(rows_in=100, rows_out=100 - lost, dropped={"too_long": lost}), recipe)

    assert sft(10) == ["dropped: 10 too long"]
    assert sft(0) == [] == dropped_lines(Base(), recipe)
    twice = {"too_long": 11, "repetitive": 11}
    assert (
        len(dropped_lines(Sft(rows_in=100, rows_out=90, dropped=twice), recipe)) == 1
    )  # of the same ten rows
    (_, warning) = sft(11)
    assert "train.max_length is 640" in warning
