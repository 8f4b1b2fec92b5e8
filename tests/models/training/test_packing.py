"""Packed rows hold every example once, none too much, and little air."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rectune.models.training.packing import pack

CAPACITY = 50
lengths = st.lists(st.integers(1, CAPACITY), max_size=200)


@given(lengths)
def test_every_example_is_in_one_row_and_no_row_overflows(given_lengths: list[int]) -> None:
    rows = pack(given_lengths, CAPACITY)
    assert sorted(place for row in rows for place in row) == list(range(len(given_lengths)))
    assert all(0 < sum(given_lengths[place] for place in row) <= CAPACITY for row in rows)


@given(lengths)
def test_two_rows_could_never_have_been_one(given_lengths: list[int]) -> None:
    filled = sorted(sum(given_lengths[place] for place in row) for row in pack(given_lengths, CAPACITY))
    assert len(filled) < 2 or filled[0] + filled[1] > CAPACITY


def test_the_tightest_room_is_taken() -> None:
    # 7 and 6 open two rows of 10; 3 goes where 3 are left, 4 where 4 are.
    assert pack([3, 7, 4, 6], 10) == [[1, 0], [3, 2]]


def test_equal_lengths_stay_in_order() -> None:
    assert pack([5, 5, 5, 5, 5], 10) == [[0, 1], [2, 3], [4]]


def test_an_example_longer_than_a_row_is_an_error() -> None:
    with pytest.raises(ValueError, match="11 tokens"):
        pack([3, 11], 10)


def test_nothing_makes_no_row() -> None:
    assert pack([], 10) == []


@pytest.mark.slow
def test_six_hundred_thousand_examples_take_seconds() -> None:
    import random
    import time

    rng = random.Random(0)
    many = [min(2048, max(20, int(rng.gauss(600, 200)))) for _ in range(600_000)]
    begun = time.process_time()
    rows = pack(many, 2048)
    assert time.process_time() - begun < 30
    assert sum(many) / (len(rows) * 2048) > 0.97
