"""Making the next piece of work in a thread while the current one is used; for reading and parsing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Piece = TypeVar("Piece")


def prefetch(pieces: Iterable[Piece]) -> Iterator[Piece]:
    """The same pieces, each made in another thread during the one before; its errors are raised here."""
    source, end = iter(pieces), object()
    with ThreadPoolExecutor(1) as pool:
        coming = pool.submit(next, source, end)
        while (piece := coming.result()) is not end:
            coming = pool.submit(next, source, end)
            yield piece  # type: ignore[misc]
