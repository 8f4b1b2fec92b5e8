"""The response score, known by construction: one text, whole columns, and columns of text."""

import math
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rectune.filters.distinct_tokens import distinct_in_rows
from rectune.filters.score import TokenIds, as_tokens, response_score, score_column

tokens = st.lists(st.integers(0, 50), min_size=1, max_size=200)
columns = st.lists(st.lists(st.integers(0, 2**17), max_size=60), max_size=20)


def test_known_scores() -> None:
    assert response_score([7]) == 0.0
    assert response_score(["a", "b", "c"]) == pytest.approx(math.log(3))
    assert response_score([1] * 100) == pytest.approx(100 * math.log(100))
    with pytest.raises(ValueError, match="empty"):
        response_score([])


@given(tokens, st.randoms(use_true_random=False))
def test_order_does_not_matter(row: list[int], rng: object) -> None:
    shuffled = list(row)
    rng.shuffle(shuffled)  # type: ignore[attr-defined]
    assert response_score(shuffled) == response_score(row)


@given(st.lists(st.integers(), min_size=2, unique=True, max_size=100))
def test_repetition_raises_the_score_at_equal_length(row: list[int]) -> None:
    repeated = [row[0], row[0], *row[2:]]
    assert response_score(row) == pytest.approx(math.log(len(row)))
    assert response_score(repeated) > response_score(row)


@given(columns)
def test_a_column_is_scored_as_its_rows_are(rows: list[list[int]]) -> None:
    _agrees(score_column(rows), rows)


@given(columns)
def test_lists_of_tokens_come_back_from_flat_columns(rows: list[list[int]]) -> None:
    assert list(as_tokens(rows)) == rows and len(as_tokens(rows)) == len(rows)


@pytest.mark.parametrize("few", [0, 1 << 30])
@pytest.mark.parametrize("widest", [1, 1 << 22])
def test_neither_threads_nor_the_range_of_ids_change_a_figure(few: int, widest: int) -> None:
    rng = np.random.default_rng(0)
    lengths = [0, 0, 1, 31, 32, 33, 255, 256, 257, 600, 0, 3, 32, 0]
    rows = [rng.integers(0, 1 + length // 2, length).tolist() for length in lengths]
    rows += [[5] * 300, list(range(70_000)), [0], [2**31 - 1, 0, 2**31 - 1], [-1, 65535, 65536, 0], [], []]
    _agrees(score_column(rows), rows)
    tokens = as_tokens(rows)
    found = distinct_in_rows(tokens.flat, tokens.offsets, few, widest)
    assert found.tolist() == [len(set(row)) for row in rows]


def test_tokens_of_any_column_can_be_a_slice_of_a_longer_one() -> None:
    flat = np.array([1, 1, 2, 3, 3, 3, 9], dtype=np.int32)
    found = score_column(TokenIds(flat[:6], np.array([0, 3, 3, 6])))
    assert found["distinct"].tolist() == [2, 0, 1] and found["tokens"].tolist() == [3, 0, 3]
    assert score_column(TokenIds(flat, np.array([2, 5, 7])))["distinct"].tolist() == [2, 2]


def test_a_column_without_rows_has_no_scores() -> None:
    assert {name: len(column) for name, column in score_column([]).items()} == {
        "tokens": 0,
        "distinct": 0,
        "score": 0,
    }


def test_scoring_a_column_leaves_it_as_it_is() -> None:
    given = as_tokens([[3, 1, 2, 1], [9, 8]])
    before = given.flat.copy()
    score_column(given)
    assert (given.flat == before).all()


def _agrees(found: dict[str, np.ndarray], rows: list[list[int]]) -> None:
    for place, row in enumerate(rows):
        assert found["tokens"][place] == len(row) and found["distinct"][place] == len(set(row))
        if row:
            assert found["score"][place] == pytest.approx(response_score(row))
        else:
            assert math.isnan(found["score"][place])
    assert all(len(column) == len(rows) for column in found.values())


def _lists(rows: list[list[int]]) -> Iterator[list[int]]:
    yield from rows


def test_rows_may_come_from_an_iterator() -> None:
    assert score_column(_lists([[1, 2], []]))["tokens"].tolist() == [2, 0]
