"""Histograms: every score in one bin, the threshold between bins, readable without colour on 80 columns."""

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rectune.filters.histogram import histogram_png, histogram_text

finite = st.lists(st.floats(0, 1e6), min_size=1, max_size=50)


def bins(text: str) -> tuple[list[int], list[int]]:
    """The counts of the lines above and below the rule."""
    lines = text.splitlines()
    (rule,) = [place for place, line in enumerate(lines) if "threshold" in line]
    counts = [int(line.split()[-1].replace(",", "")) for line in lines if "threshold" not in line]
    return counts[:rule], counts[rule:]


@given(finite, st.floats(1e-3, 1e5))
def test_every_score_is_counted_on_its_side_of_the_threshold(scores: list[float], threshold: float) -> None:
    text = histogram_text(scores, threshold)
    kept, dropped = bins(text)
    assert sum(kept) == sum(score < threshold for score in scores)
    assert sum(dropped) == sum(score >= threshold for score in scores)
    assert max(map(len, text.splitlines())) < 80 and len(text.splitlines()) < 40


@given(finite)
def test_counts_stand_for_repeated_scores(scores: list[float]) -> None:
    doubled = histogram_text(np.array(scores), 15.0, np.full(len(scores), 2))
    assert doubled == histogram_text([*scores, *scores], 15.0)


def test_bars_grow_with_their_counts_and_are_shaded_from_the_threshold_on() -> None:
    lines = histogram_text([3.0] * 1000 + [5.0] * 500 + [9.0] + [16.0] * 1000, 10.0).splitlines()
    length = {line.split()[-1]: sum(line.count(sign) for sign in "█░") for line in lines}
    solid = [line for line in lines if "█" in line]
    shaded = [line for line in lines if "░" in line]
    assert len(solid) == 2 and len(shaded) == 1 and abs(2 * length["500"] - length["1,000"]) <= 1
    (one,) = [line for line in lines if line.split()[-1] == "1"]
    assert "▏" in one  # a single text can be seen beside a thousand


def test_far_out_scores_share_an_open_bin() -> None:
    text = histogram_text([5.0, 6.0, 1e9], 15.0)
    assert text.splitlines()[-1].split()[1:3] == ["and", "above"] and bins(text)[1][-1] == 1


def test_without_scores_there_is_nothing_to_draw() -> None:
    assert histogram_text([], 15.0) == histogram_text([math.nan], 15.0) == "no scores"


@pytest.mark.parametrize("scores", [[], [3.0, 4.0, math.nan], [3.0, 900.0], [0.0]])
def test_pictures_are_drawn_whatever_the_scores_and_names(tmp_path: Path, scores: list[float]) -> None:
    histogram_png(scores, 15.0, "films $x_{", tmp_path / "h", tokenizer="$\\frac{")
    assert (tmp_path / "h").read_bytes().startswith(b"\x89PNG")
