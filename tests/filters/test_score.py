"""The response score, known by construction, and the rules beside it."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from filters.plots import histogram_png, histogram_text
from filters.rules import RULES, measure
from filters.score import response_score, score_column
from filters.stage import judge
from rectune.settings import Filter
from rectune.types import Example, Prompt, Provenance, with_id

tokens = st.lists(st.integers(0, 50), min_size=1, max_size=200)


def test_known_scores() -> None:
    assert response_score([7]) == 0.0
    assert response_score(["a", "b", "c"]) == pytest.approx(math.log(3))
    assert response_score([1] * 100) == pytest.approx(100 * math.log(100))
    with pytest.raises(ValueError, match="empty"):
        response_score([])


@given(tokens, st.randoms(use_true_random=False))
def test_order_does_not_matter(row: list[int], rng: object) -> None:
    assert response_score(sorted(row)) == response_score(row)


@given(st.lists(st.integers(), min_size=2, unique=True, max_size=100))
def test_repetition_raises_the_score_at_equal_length(row: list[int]) -> None:
    repeated = [row[0], row[0], *row[2:]]
    assert response_score(row) == pytest.approx(math.log(len(row)))
    assert response_score(repeated) > response_score(row)


@given(st.lists(st.lists(st.integers(0, 2**17), max_size=60), max_size=20))
def test_a_column_is_scored_as_its_rows_are(rows: list[list[int]]) -> None:
    columns = score_column(rows)
    for place, row in enumerate(rows):
        assert columns["tokens"][place] == len(row) and columns["distinct"][place] == len(set(row))
        if row:
            assert columns["score"][place] == pytest.approx(response_score(row))
        else:
            assert math.isnan(columns["score"][place])


def test_the_threshold_itself_is_dropped() -> None:
    batch = measure(["x"], [[1, 2, 2]])
    score = response_score([1, 2, 2])
    _, at = RULES["repetitive"](batch, Filter(threshold=score))
    _, below = RULES["repetitive"](batch, Filter(threshold=np.nextafter(score, 100)))
    assert at.tolist() == [True] and below.tolist() == [False]


class Words:
    """A tokenizer by construction: a word is a token."""

    def __call__(self, texts: list[str], **options: object) -> dict[str, list[list[int]]]:
        return {"input_ids": [[len(word) for word in text.split()] for text in texts]}


def example(response: str) -> Example:
    prompt = Prompt(
        "p", "movies", "passive", "direct", "en", "train", "u", "s", "i", (), (), "t", "", "x", "movies"
    )
    return with_id(Example("", prompt, response, Provenance("m", "q", "{}", 0, "e")))


def test_every_rule_speaks_of_every_row_and_all_reasons_are_kept() -> None:
    rows = [
        example(text)
        for text in ("", "a bb ccc dddd", "a a a a a a a a", "a bb", "a bb ccc dddd eeeee ffffff")
    ]
    config = Filter(threshold=5.0, min_tokens=4, max_tokens=5)
    verdicts = judge(rows, Words(), config)
    assert [v.reasons for v in verdicts] == [
        ("empty",),
        (),
        ("repetitive", "too long"),
        ("too short",),
        ("too long",),
    ]
    assert [v.kept for v in verdicts] == [False, True, False, False, False]
    assert all(set(json.loads(v.figures)) == set(RULES) for v in verdicts)
    kept = [row for row, verdict in zip(rows, verdicts, strict=True) if verdict.kept]
    assert all(verdict.kept for verdict in judge(kept, Words(), config))  # filtering twice changes nothing


def test_histograms_are_drawn_for_terminal_and_picture(tmp_path: Path) -> None:
    scores = [3.0, 4.0, 4.2, 20.0, math.nan]
    text = histogram_text(scores, 15.0)
    assert sum(int(line.split()[-1]) for line in text.splitlines() if len(line.split()) == 3) == 4
    assert any("x" in line for line in text.splitlines()) and histogram_text([], 15.0) == "no scores"
    histogram_png(scores, 15.0, "films", tmp_path / "h.png")
    assert (tmp_path / "h.png").read_bytes().startswith(b"\x89PNG")
