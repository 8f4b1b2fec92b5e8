"""Rows that repeat others, found a few users at a time, because hashing tens of millions of rows takes
gigabytes.
"""

from __future__ import annotations

import typing
from collections.abc import Iterator, Sequence

if typing.TYPE_CHECKING:
    import polars as pl

_SLICE = 2_000_000  # rows


def distinct(frame: pl.DataFrame, columns: Sequence[str], size: int = _SLICE) -> tuple[pl.DataFrame, bool]:
    """The rows that differ from all earlier rows in these columns, in their order; and whether any pair met
    twice.

    Args:
        frame: sorted by `user`.
        columns: `user` and `item` among them; a pair is these two.
        size: rows that are looked at together, about.
    """
    import polars as pl

    first = pl.struct(*columns).is_first_distinct()
    kept, again = [frame.clear()], False
    for part in _slices(frame, size):
        if _any_pair_twice(part):
            again = True
            part = part.filter(first)
        kept.append(part)
    return (pl.concat(kept, rechunk=False), True) if again else (frame, False)


def _any_pair_twice(part: pl.DataFrame) -> bool:
    """Sorting numbers is several times faster than hashing rows, and most files repeat nothing."""
    import numpy as np

    pairs = part["user"].to_numpy().astype(np.uint64)
    pairs <<= np.uint64(32)
    pairs += part["item"].to_numpy()
    pairs.sort()
    return bool((pairs[1:] == pairs[:-1]).any())


def _slices(frame: pl.DataFrame, size: int) -> Iterator[pl.DataFrame]:
    """Slices that hold all the rows of each of their users."""
    start, users = 0, frame["user"]
    while start < frame.height:
        stop = start + size
        if stop < frame.height:
            stop = int(users.search_sorted(users[stop], side="right"))
        yield frame[start:stop]
        start = stop
