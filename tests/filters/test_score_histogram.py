"""The histogram of scores: exact counts, quantiles to one in ten thousand, parts equal to the whole."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rectune.filters.score import score_column
from rectune.filters.score_histogram import LengthBin, ScoreHistogram

rows = st.lists(st.lists(st.integers(0, 6), max_size=40), max_size=30)


def spread_of(parts: list[list[list[int]]], threshold: float = 15.0) -> ScoreHistogram:
    spread = ScoreHistogram(threshold)
    for part in parts:
        spread.add(score_column(part))
    return spread


@given(rows, st.integers(0, 30))
def test_parts_count_as_the_whole_does(some: list[list[int]], cut: int) -> None:
    whole, parts = spread_of([some]), spread_of([some[:cut], some[cut:]])
    assert (whole.texts, whole.empty, whole.dropped) == (parts.texts, parts.empty, parts.dropped)
    assert [a.tolist() for a in whole.scores()] == [a.tolist() for a in parts.scores()]
    assert whole.by_length() == parts.by_length()


@given(rows.filter(lambda some: any(some)), st.sampled_from([0.0, 0.1, 0.5, 0.9, 1.0]), st.floats(0.01, 100))
def test_quantiles_and_drops_are_those_of_the_scores(
    some: list[list[int]], share: float, threshold: float
) -> None:
    scores = score_column(some)["score"]
    scores = scores[np.isfinite(scores)]
    spread = spread_of([some], threshold)
    wanted = np.quantile(scores, share, method="inverted_cdf")
    assert spread.quantile(share) == pytest.approx(wanted, rel=2e-4)
    assert spread.dropped == (scores >= threshold).sum()
    values, counts = spread.scores()
    assert counts.sum() == len(scores) and (np.diff(values) >= 0).all()
    assert counts[values >= threshold].sum() == spread.dropped  # bins do not reach across the threshold


def test_the_threshold_itself_is_dropped() -> None:
    score = float(score_column([[1, 2, 2]])["score"][0])
    assert spread_of([[[1, 2, 2]]], score).dropped == 1
    assert spread_of([[[1, 2, 2]]], float(np.nextafter(score, 100))).dropped == 0


def test_lengths_fall_into_powers_of_two() -> None:
    lengths = [1, 2, 3, 4, 31, 32, 0]
    spread = spread_of([[[7] * length for length in lengths]], threshold=6.0)
    assert spread.by_length() == [
        LengthBin(1, 1, 1, 0),
        LengthBin(2, 3, 2, 0),
        LengthBin(4, 7, 1, 0),
        LengthBin(8, 15, 0, 0),
        LengthBin(16, 31, 1, 1),
        LengthBin(32, 63, 1, 1),
    ]
    assert (spread.texts, spread.empty) == (7, 1)


def test_nothing_has_no_quantiles() -> None:
    spread = spread_of([[[], []]])
    assert math.isnan(spread.quantile(0.5)) and spread.by_length() == [] and spread.empty == 2
