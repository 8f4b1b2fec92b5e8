"""The chunks of a small catalogue in memory: all of them are compared faster than a table is asked."""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from rectune.retrieval.embedding import Vectors
from rectune.retrieval.item_cosines import Key
from rectune.retrieval.table_rows import SHOWN, matrix

if TYPE_CHECKING:
    import pyarrow as pa

MOST = 20_000
"""Chunks that are held, at most: 31 MB with 384 numbers a vector, and their texts."""


class ChunksInMemory:
    """Chunks as a table has them.

    Args:
        rows: the columns of `SHOWN`, and `vector`.
    """

    def __init__(self, rows: pa.Table) -> None:
        columns = {name: rows[name].to_pylist() for name in SHOWN}
        self._rows = [dict(zip(SHOWN, values, strict=True)) for values in zip(*columns.values(), strict=True)]
        self._vectors = matrix(rows["vector"])
        lengths = np.linalg.norm(self._vectors, axis=1)
        self._lengths = np.where(lengths > 0, lengths, 1)
        self._domains = np.array(columns["domain"], np.object_)
        self._by_item: dict[str, list[int]] = {}
        for place, item in enumerate(columns["item_id"]):
            self._by_item.setdefault(item, []).append(place)

    def near(
        self, vector: Vectors, domain: str | None, limit: int, within: AbstractSet[str] | None
    ) -> list[dict[str, Any]]:
        """The chunks nearest to a vector, the nearest first, with `_distance`: 1 less the cosine.

        Args:
            vector: [d], of unit length.
            domain: of their items; None for all.
            limit: how many.
            within: ids of their items; None for all.
        """
        able = self._able(domain, within)
        cosines = ((self._vectors @ vector) / self._lengths)[able]
        places: NDArray[np.int64] = np.arange(len(able))
        if len(able) > limit:
            places = np.sort(np.argpartition(-cosines, limit)[:limit])
        nearest = places[np.argsort(-cosines[places], kind="stable")]
        return [{**self._rows[able[at]], "_distance": 1.0 - float(cosines[at])} for at in nearest]

    def of_items(self, keys: Iterable[Key]) -> tuple[list[Key], list[str], Vectors]:
        """All chunks of these items: which item each is of, their texts, and their vectors."""
        places = [
            (key, place)
            for key in keys
            for place in self._by_item.get(key[1], ())
            if self._rows[place]["domain"] == key[0]
        ]
        texts = [self._rows[place]["text"] for _, place in places]
        return [key for key, _ in places], texts, self._vectors[[place for _, place in places]]

    def _able(self, domain: str | None, within: AbstractSet[str] | None) -> NDArray[np.int64]:
        """The places of the rows that are compared, in their order."""
        able = np.ones(len(self._rows), np.bool_)
        if domain is not None:
            able &= self._domains == domain
        if within is not None:
            wanted = np.zeros(len(self._rows), np.bool_)
            wanted[[place for item in within for place in self._by_item.get(item, ())]] = True
            able &= wanted
        return np.flatnonzero(able)
