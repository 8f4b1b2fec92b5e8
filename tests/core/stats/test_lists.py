"""Figures of lists, by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rectune.core.stats.lists import cosine_distance, gini, jaccard_distance, novelty
from rectune.core.stats.metrics import UserBootstrap, area_under_curve


def test_gini_is_nothing_where_all_are_alike_and_most_where_one_has_all() -> None:
    assert gini([3, 3, 3, 3]) == 0.0
    assert gini([0, 0, 0, 8]) == pytest.approx(3 / 4)
    assert gini([1, 3]) == pytest.approx(1 / 4)  # (-1 * 1 + 1 * 3) / (2 * 4)
    assert gini([7]) == 0.0
    assert gini([0, 0]) is None and gini([]) is None


@given(st.lists(st.integers(0, 1000), min_size=1, max_size=30))
def test_gini_is_half_the_mean_difference_over_the_mean(counts: list[int]) -> None:
    if not sum(counts):
        return
    x = np.array(counts, float)
    pairs = np.abs(x[:, None] - x[None, :]).mean() / (2 * x.mean())
    assert gini(counts) == pytest.approx(pairs)


def test_distances_within_a_list() -> None:
    rows = np.array([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    assert cosine_distance(rows) == pytest.approx(2 / 3)  # of three pairs one is alike
    assert cosine_distance(rows[:2]) == pytest.approx(0.0)
    assert cosine_distance(rows[:1]) is None
    assert jaccard_distance([{"a", "b"}, {"b", "c"}, {"a", "b"}]) == pytest.approx((2 / 3 + 0 + 2 / 3) / 3)
    assert jaccard_distance([{"a"}, set()]) == 1.0
    assert jaccard_distance([set(), set()]) is None and jaccard_distance([{"a"}]) is None


def test_novelty_is_the_information_of_who_liked_an_item() -> None:
    assert novelty([4, 1], 8) == pytest.approx((1 + 3) / 2)
    assert novelty([0], 8) == novelty([1], 8) == pytest.approx(3)
    assert novelty([8], 8) == 0.0
    assert novelty([], 8) is None and novelty([1], 0) is None


def test_the_area_is_the_share_of_items_below_and_half_of_the_ties() -> None:
    scores = np.array([3.0, 1.0, 2.0, 2.0, 5.0])
    assert area_under_curve(scores, 2) == pytest.approx((1 + 0.5) / 4)
    assert area_under_curve(scores, 4) == 1.0 and area_under_curve(scores, 1) == 0.0
    assert area_under_curve(np.zeros(7), 3) == 0.5
    assert area_under_curve(np.array([-np.inf, 1.0]), 0) == 0.0
    assert area_under_curve(np.array([1.0]), 0) is None


def test_the_interval_is_that_of_the_resampled_means() -> None:
    drawn = UserBootstrap(["a", "a", "b", "c"], 400, 1)
    means = drawn.means([1.0, 0.0, 1.0, 0.0])
    assert drawn.users == 3 and means.shape == (400,)
    assert drawn.interval([1.0, 0.0, 1.0, 0.0]) == tuple(np.quantile(means, (0.025, 0.975)))
