"""Doing the next piece of work while the one before is looked at; what reads and parses leaves the
interpreter free.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Piece = TypeVar("Piece")


def prefetch(pieces: Iterable[Piece]) -> Iterator[Piece]:
    """The same pieces, each made in another thread while the one before is worked on; errors come where they
    belong.
    """
    source, end = iter(pieces), object()
    with ThreadPoolExecutor(1) as pool:
        coming = pool.submit(next, source, end)
        while (piece := coming.result()) is not end:
            coming = pool.submit(next, source, end)
            yield piece  # type: ignore[misc]
