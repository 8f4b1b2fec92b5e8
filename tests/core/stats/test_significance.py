"""Paired tests against values known otherwise."""

import math
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rectune.core.stats.metrics import UserBootstrap
from rectune.core.stats.significance import difference, holm, mcnemar


@given(st.integers(0, 12), st.integers(0, 12))
def test_mcnemar_is_the_binomial_test_counted_out(lost: int, won: int):
    n = lost + won
    as_far = sum(math.comb(n, k) for k in range(n + 1) if abs(2 * k - n) >= abs(won - lost))
    assert mcnemar(lost, won) == pytest.approx(as_far / 2**n)
    assert mcnemar(lost, won) == mcnemar(won, lost)


def test_mcnemar_of_thousands_of_cases_is_a_number():
    assert 0 < mcnemar(2000, 2100) < 1 and mcnemar(0, 5000) < 1e-300


def test_holm_by_hand():
    # Sorted: 0.01 * 4, 0.02 * 3, 0.03 * 2 (not below the one before), 0.2.
    assert holm([0.03, 0.01, 0.2, 0.02]) == pytest.approx([0.06, 0.04, 0.2, 0.06])
    assert holm([]) == []


@given(st.lists(st.floats(0, 1), max_size=8))
def test_holm_keeps_the_order_and_never_makes_smaller(ps: list[float]):
    corrected = holm(ps)
    assert all(p <= q <= 1 for p, q in zip(ps, corrected, strict=True))
    for one, other in product(range(len(ps)), repeat=2):
        assert ps[one] > ps[other] or corrected[one] <= corrected[other]


def test_a_difference_counts_wins_and_losses_on_the_same_cases():
    users = [f"u{n}" for n in range(8)]
    found = difference([1, 1, 2, 2, 3, 9, 9, 9], [1, 2, 1, 1, 1, 9, 9, 9], UserBootstrap(users, 500, 0))
    assert (found.won, found.lost, found.n) == (3, 1, 8)
    assert found.difference == pytest.approx(2 / 8)
    assert found.interval[0] < 0.25 < found.interval[1]
    assert found.p == pytest.approx(2 * (1 + 4) / 16)
    same = difference([1, 4], [1, 4], UserBootstrap(["a", "b"], 500, 0))
    assert same.difference == 0 and same.interval == (0, 0) and same.p == 1


def test_users_are_drawn_with_all_their_cases():
    # One user with ten cases and ten with one: the interval over users is far wider than over cases.
    users = ["heavy"] * 10 + [f"u{n}" for n in range(10)]
    values = np.array([1.0] * 10 + [0.0] * 10)
    low, high = UserBootstrap(users, 2000, 0).interval(values)
    assert low == 0.0 and high > 0.7
    assert UserBootstrap(users, 2000, 0).interval(values) == (low, high)
    assert all(math.isnan(end) for end in UserBootstrap([], 10, 0).interval([]))
