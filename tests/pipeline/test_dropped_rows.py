"""What a stage dropped is told with its reasons, and where it is much, with the keys to turn."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import ClassVar

import pytest

from rectune.core.figures import QueriesFigures
from rectune.core.figures.record import RowCounts, StageRecord
from rectune.core.recipe import Recipe, load_recipe
from rectune.pipeline.dropped_rows import dropped_lines
from tests.core.filled import record


@pytest.fixture(scope="module")
def recipe() -> Recipe:
    return load_recipe(Path("demo"))


def test_prompts_that_are_too_long_are_told_with_lengths_that_hold_them(recipe: Recipe) -> None:
    dropped = {"every query refused": 8, "too long": 107}
    figures = QueriesFigures(
        rows_in=172, rows_out=57, dropped=dropped, longest_lost={"en": 900}, shortened=0, left_out=0,
        asked_passively_instead=0, queries=8, refused={}, kinds={},
    )  # fmt: skip
    table, warning = dropped_lines(figures, recipe)
    assert table == "dropped: 8 every query refused, 107 too long"
    assert "115 of 172 rows are lost (67%)" in warning and "generate.attempts" in warning
    turned = [word for word in warning.replace(";", "").split() if "=" in word]
    assert turned == ["prompts.max_tokens=900", "train.max_length=1220", "align.max_length=1156"]
    assert load_recipe(Path("demo"), turned).prompts.max_tokens == 900


def warned(lost: dict[str, int], *overrides: str) -> tuple[str, list[str]]:
    """The warning about prompts whose longest ones have so many tokens, and the overrides it names."""
    figures = record(QueriesFigures, rows_in=10, rows_out=5, dropped={"too long": 5}, longest_lost=lost)
    _, warning = dropped_lines(figures, load_recipe(Path("demo"), overrides))
    said, _, turned = warning.partition(" all would fit with ")
    return said, shlex.split(turned)


def test_lengths_follow_the_language_and_can_be_typed_as_they_are_printed() -> None:
    both = "prompts.locales={en: 1, ko: 1}"
    said, turned = warned({"ko": 1204}, both)
    assert "prompts.max_tokens is 448," in said
    assert turned == [
        "prompts.max_tokens={en: 448, ko: 1204}",
        "train.max_length=1524",
        "align.max_length=1460",
    ]
    recipe = load_recipe(Path("demo"), [both, *turned])
    assert recipe.prompts.token_limits == {"en": 448, "ko": 1204}
    # A language that needs no more than another has is no reason for longer sequences.
    said, turned = warned({"en": 500}, both, *turned)
    assert "prompts.max_tokens is {en: 448, ko: 1204}," in said
    assert turned == ["prompts.max_tokens={en: 500, ko: 1204}"]
    assert warned({"ko": 900}, "prompts.locales={ko: 1}")[1][0] == "prompts.max_tokens=900"


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
    assert "train.max_length is 768" in warning
