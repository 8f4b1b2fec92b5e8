import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rectune.core.stats.intervals import visible_difference, wilson
from rectune.core.stats.metrics import UserBootstrap, hit_at, ndcg_at, reciprocal_ranks, target_rank

SCORES = st.lists(st.floats(allow_nan=True), min_size=1, max_size=20)


@pytest.mark.parametrize(
    ("scores", "rank"),
    [
        ([3.0, 2.0, 1.0], 1),
        ([2.0, 3.0, 1.0], 2),
        ([1.0, 1.0, 1.0], 3),  # a constant ranks the target last
        ([math.nan, 1.0, 1.0], 3),
        ([1.0, math.nan, 0.0], 2),  # neither does a score that is no number help it
        ([-math.inf, -math.inf, -5.0], 3),
    ],
)
def test_the_target_loses_ties(scores: list[float], rank: int):
    assert target_rank(["a", "b", "c"], scores, "a") == rank


def test_a_target_that_was_not_ranked_is_an_error():
    with pytest.raises(ValueError, match="not among"):
        target_rank(["a"], [1.0], "b")


@given(SCORES, st.integers(0, 19))
def test_the_rank_stays_in_bounds_and_does_not_depend_on_the_order(scores: list[float], place: int):
    items = [str(n) for n in range(len(scores))]
    target = items[place % len(items)]
    rank = target_rank(items, scores, target)
    assert 1 <= rank <= len(items)
    assert target_rank(items[::-1], scores[::-1], target) == rank


def test_known_values():
    ranks = [1, 2, 3, 11]
    assert [hit_at(ranks, k).mean() for k in (1, 2, 10, 20)] == [0.25, 0.5, 0.75, 1.0]
    assert reciprocal_ranks(ranks).tolist() == [1, 1 / 2, 1 / 3, 1 / 11]
    assert ndcg_at(ranks, 10) == pytest.approx([1.0, 1 / math.log2(3), 0.5, 0.0])


def test_wilson_agrees_with_published_values():
    # Newcombe 1998, "Two-sided confidence intervals for the single proportion", table I, method 3.
    for hits, n, low, high in (
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ):
        assert wilson(hits, n) == pytest.approx((low, high), abs=1e-4)


@given(st.integers(0, 300), st.integers(0, 300))
def test_wilson_holds_the_share_and_stays_a_share(hits: int, misses: int):
    low, high = wilson(hits, hits + misses)
    assert 0 <= low <= high <= 1
    if hits + misses:
        assert low <= hits / (hits + misses) <= high


def test_the_bootstrap_is_seeded_and_covers_the_mean():
    values = list(np.random.default_rng(0).random(200))
    users = [str(n) for n in range(200)]
    low, high = UserBootstrap(users, 500, 7).interval(values)
    assert (low, high) == UserBootstrap(users, 500, 7).interval(values)
    assert (low, high) != UserBootstrap(users, 500, 8).interval(values)
    # The normal approximation of the same interval: 1.96 * standard error.
    half = 1.96 * np.std(values) / math.sqrt(200)
    assert (low, high) == pytest.approx((np.mean(values) - half, np.mean(values) + half), abs=0.01)


def test_cases_of_one_user_are_not_taken_for_independent():
    values = [0.0, 1.0] * 50
    apart = UserBootstrap([str(n) for n in range(100)], 500, 0).interval(values)
    together = UserBootstrap(["a"] * 50 + ["b"] * 50, 500, 0).interval([0.0] * 50 + [1.0] * 50)
    assert together == (0.0, 1.0)
    assert apart[1] - apart[0] < 0.25


def test_without_cases_there_is_no_figure():
    assert all(math.isnan(bound) for bound in UserBootstrap([], 10, 0).interval([]))


def test_a_visible_difference_is_shown_four_times_in_five() -> None:
    rng, n, spread = np.random.default_rng(7), 400, 0.5
    visible = visible_difference((-1.96 * spread / n**0.5, 1.96 * spread / n**0.5))
    means = rng.normal(visible, spread / n**0.5, 20_000)
    assert np.mean(means - 1.96 * spread / n**0.5 > 0) == pytest.approx(0.8, abs=0.01)
