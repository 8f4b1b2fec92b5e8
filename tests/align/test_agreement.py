"""Agreement figures against worked examples, scipy, and what they must be by definition."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rectune.align.agreement import alpha, chi_square_tail, uniform_p
from rectune.core.stats.intervals import wilson

# Krippendorff (2011), part C: four observers, twelve units, some missing.
WORKED = """
1 2 3 3 2 1 4 1 2 . . .
1 2 3 3 2 2 4 1 2 5 . 3
. 3 3 3 2 3 4 2 2 5 1 .
1 2 3 3 2 4 4 1 2 5 1 .
"""
UNITS = [
    [int(value) for value in unit if value != "."]
    for unit in zip(*(row.split() for row in WORKED.strip().splitlines()), strict=True)
]


def test_alpha_of_the_papers_example() -> None:
    assert alpha(UNITS, "nominal") == pytest.approx(0.743, abs=5e-4)
    assert alpha(UNITS, "ordinal") == pytest.approx(0.815, abs=5e-4)


def test_alpha_is_one_when_all_agree_and_undefined_where_nothing_can_be_said() -> None:
    assert alpha([[1, 1], [2, 2, 2]], "nominal") == 1.0
    assert alpha([[1, 1], [1, 1]], "nominal") is None
    assert alpha([[1], [2]], "ordinal") is None
    assert alpha([], "nominal") is None


def test_systematic_disagreement_is_below_chance_and_ordinal_data_forgives_neighbours() -> None:
    opposite = alpha([[0, 1], [1, 0], [0, 1], [1, 0]], "nominal")
    assert opposite is not None and opposite < 0
    near, far = [[-1, 0], [0, 0], [1, 1], [-1, -1]], [[-1, 1], [0, 0], [1, 1], [-1, -1]]
    assert (alpha(near, "ordinal") or 0) > (alpha(far, "ordinal") or 0)


@given(st.lists(st.lists(st.integers(0, 3), min_size=1, max_size=4), max_size=8), st.randoms())
def test_alpha_does_not_depend_on_any_order(units: list[list[int]], random: object) -> None:
    mixed = [sorted(unit, key=lambda _: random.random()) for unit in units]  # type: ignore[attr-defined]
    mixed.sort(key=lambda _: random.random())  # type: ignore[attr-defined]
    assert alpha(mixed, "ordinal") == alpha(units, "ordinal")


def test_wilson_of_known_cases() -> None:
    assert wilson(8, 10) == pytest.approx((0.4902, 0.9433), abs=1e-4)
    low, high = wilson(0, 10)
    assert (low, high) == (0.0, pytest.approx(0.2775, abs=1e-4))
    assert wilson(10, 10) == pytest.approx((0.7225, 1.0), abs=1e-4)
    assert wilson(2.5, 5)[0] < 0.5 < wilson(2.5, 5)[1]
    assert wilson(0, 0) == (0.0, 1.0)


@given(st.floats(0, 300), st.integers(1, 12))
def test_the_tail_of_chi_square_is_scipys(x: float, freedom: int) -> None:
    stats = pytest.importorskip("scipy.stats")
    assert chi_square_tail(x, freedom) == pytest.approx(float(stats.chi2.sf(x, freedom)), abs=1e-10)


def test_even_places_are_likely_and_one_favoured_place_is_not() -> None:
    assert uniform_p([20, 20, 20, 20, 20]) == 1.0
    assert uniform_p([60, 10, 10, 10, 10]) < 1e-9
    # One degree: the two-sided test of a normal deviate of 2.
    assert uniform_p([60, 40]) == pytest.approx(math.erfc(2 / math.sqrt(2)))
