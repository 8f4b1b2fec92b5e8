"""Re-ordering the first items of a ranking by a language model, and the weight that it is given."""

from __future__ import annotations

from contextlib import nullcontext

import numpy as np
import pytest

from rectune.core.types import Item
from rectune.rankers.base import ScoredItem
from rectune.rankers.rerank import Reranker, fused_scores, measured_weight, title_scores

ITEMS = [Item("movies", f"i{n}", title) for n, title in enumerate(("Alien", "Heat", "Big", "Up"))]
RANKED = [ScoredItem("i0", 4.0), ScoredItem("i1", 3.0), ScoredItem("i2", 2.0), ScoredItem("i3", -7.0)]


class Loves:
    """A stand-in for an engine: one title is likely behind a history, and another is always likely."""

    def __init__(self, behind_history: str, always: str) -> None:
        self._behind, self._always = behind_history, always
        self.calls = 0

    def loglikelihood(self, messages, continuations, prefill=""):
        self.calls += 1
        asked = messages[-1][1]
        return [
            [-5.0 + 4.0 * (self._always in text) + 3.0 * (self._behind in text and "Up" in asked)]
            for text in continuations
        ]


def test_what_a_title_has_without_a_history_is_taken_off_and_asked_for_once():
    engine = Loves("Big", "Heat")
    score = title_scores(lambda: nullcontext(engine), ITEMS)
    (first,) = score([("i3",)], [("i0", "i1", "i2")])
    np.testing.assert_allclose(first, [0.0, 0.0, 3.0])  # Heat is as likely without the history
    before = engine.calls
    score([("i3",)], [("i0", "i1")])
    assert engine.calls == before + 1


def test_the_first_items_are_re_ordered_and_the_others_stay_behind_them():
    score = title_scores(lambda: nullcontext(Loves("Big", "Heat")), ITEMS)
    (found,) = Reranker(score, weight=1.0, candidates=3).rerank([("i3",)], [RANKED])
    assert [one.item_id for one in found] == ["i2", "i0", "i1", "i3"]
    assert [one.score for one in found] == sorted((one.score for one in found), reverse=True)
    for unchanged in (Reranker(score, 0.0, 3), Reranker(score, 1.0, 1)):
        assert [one.item_id for one in unchanged.rerank([("i3",)], [RANKED])[0]] == ["i0", "i1", "i2", "i3"]
    assert Reranker(score, 1.0, 3).rerank([()], [RANKED]) == [RANKED]  # nothing to go by
    assert Reranker(score, 1.0, 3).rerank([], []) == []


def test_half_the_weight_is_half_of_each_standardised_score():
    fused = fused_scores(np.array([1.0, 2.0, 3.0]), np.array([5.0, 4.0, 4.5]), 0.5)
    np.testing.assert_allclose(fused, (np.array([-1, 0, 1]) + np.array([1, -1, 0])) * np.sqrt(1.5) / 2)


@pytest.mark.parametrize(("users", "better", "weight"), [(100, 1.0, 0.4), (100, 0.02, 0.0), (20, 1.0, 0.0)])
def test_a_weight_is_given_only_where_it_surely_helps(users: int, better: float, weight: float):
    before = np.full(users, 5)
    after = np.where(np.arange(users) < better * users, 1, 5)
    found = measured_weight([before, after, before], (0.0, 0.4, 0.8))
    assert (found.weight, found.best) == (weight, 0.4)
    assert measured_weight([after, before], (0.0, 0.4)).weight == 0.0
