"""Working ahead: the same pieces in the same order, one of them made early, errors where they belong."""

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rectune.core.prefetch import prefetch


@given(st.lists(st.none() | st.integers()))
def test_the_pieces_are_the_same(pieces: list[int | None]) -> None:
    assert list(prefetch(pieces)) == pieces


def test_errors_come_after_the_pieces_before_them() -> None:
    def pieces() -> Iterator[int]:
        yield 1
        raise ValueError("broken off")

    taken = prefetch(pieces())
    assert next(taken) == 1
    with pytest.raises(ValueError, match="broken off"):
        next(taken)


def test_no_more_than_one_piece_is_made_early() -> None:
    made = list[int]()

    def pieces() -> Iterator[int]:
        for number in range(10):
            made.append(number)
            yield number

    taken = prefetch(pieces())
    next(taken)
    next(taken)
    taken.close()  # type: ignore[attr-defined]
    assert made == [0, 1, 2]
