"""Hits of known scores, the interval of a change, and cases in an order nobody chose."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rectune.core.catalogue import load_catalogue
from rectune.release.quantization_hits import chosen_cases, conversations_of, hits_by, paired_change
from tests.rankers.world import SPACE, write_world


def test_no_change_has_a_width_and_equal_losses_and_gains_cancel() -> None:
    change, (low, high) = paired_change([True] * 24, [True] * 24)
    assert change == 0.0 and low == -high and 0.07 < high < 0.08  # z/(n + 2)
    assert paired_change([True, False], [False, True])[0] == 0.0


def test_the_interval_is_that_of_the_formula() -> None:
    before, after = [True] * 10 + [False] * 10, [False] * 5 + [True] * 15
    change, (low, high) = paired_change(before, after)  # 5 lost, 10 won of 20
    assert change == 0.25
    assert (low, high) == pytest.approx((5 / 22 - 0.3422, 5 / 22 + 0.3422), abs=2e-3)


def test_without_cases_there_is_no_change() -> None:
    with pytest.raises(ValueError, match="no cases"):
        paired_change([], [])


@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=60))
def test_the_interval_turns_over_when_before_and_after_do(pairs: list[tuple[bool, bool]]) -> None:
    before, after = [a for a, _ in pairs], [b for _, b in pairs]
    change, (low, high) = paired_change(before, after)
    back, (other_low, other_high) = paired_change(after, before)
    assert (back, other_low, other_high) == pytest.approx((-change, -high, -low))
    assert -1.0 <= low < high <= 1.0


class Likes:
    """A model that likes the user's taste best, or everything the same."""

    def __init__(self, taste: float) -> None:
        self.taste = taste

    def loglikelihood(
        self, messages: Any, continuations: Sequence[str], prefill: str = ""
    ) -> list[list[float]]:
        asked_space = SPACE[0] in messages[1][1]
        return [[self.taste if asked_space and text.strip() in SPACE else 0.0] for text in continuations]


def test_a_target_that_ties_is_a_miss(tmp_path: Path) -> None:
    inputs = write_world(tmp_path)
    cases = chosen_cases(inputs["data"], inputs["queries"])
    catalogue = load_catalogue(inputs["data"] / "items.parquet")
    found = hits_by(Likes(1.0), "space", cases, catalogue)
    assert found == [test.case.target in ("m4", "b4") for test in cases] and sum(found) == 2
    assert not any(hits_by(Likes(0.0), "flat", cases, catalogue))


def test_conversations_end_on_the_item_really_taken(tmp_path: Path) -> None:
    inputs = write_world(tmp_path)
    cases = chosen_cases(inputs["data"], inputs["queries"])
    assert [test.prompt.id for test in cases] == sorted(test.prompt.id for test in cases)
    talked = conversations_of(cases, load_catalogue(inputs["data"] / "items.parquet"))
    ends = {conversation.answer.removeprefix("My recommendation: ") for conversation in talked}
    assert ends == {"The Space Station", "Sushi Master"} and talked[0].messages[0][0] == "system"
