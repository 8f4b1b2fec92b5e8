"""The exact cosines of items with texts, by all chunks of each item."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from rectune.retrieval.embedding import Vectors

Key = tuple[str, str]  # domain, item id


class ItemCosines:
    """How near items are to texts.

    Args:
        owners: of each chunk the item that it is of.
        chunks: their texts.
        vectors: [chunks, d] of them, rows of unit length.
        wanted: [texts, d] of the texts, rows of unit length.

    Attributes:
        keys: the items, each once.
        best: [items, texts] the cosine of each item's best chunk.
        mean: [items, texts] that of all its chunks.
    """

    def __init__(
        self, owners: Sequence[Key], chunks: Sequence[str], vectors: Vectors, wanted: Vectors
    ) -> None:
        self._places: dict[Key, list[int]] = {}
        for at, key in enumerate(owners):
            self._places.setdefault(key, []).append(at)
        self.keys = list(self._places)
        self._chunks = chunks
        # Equal rows get equal cosines, wherever they stand: a product by BLAS does not promise that.
        self._cosines = np.einsum("cd,td->ct", vectors, wanted)
        self.best: NDArray[np.float32] = np.zeros((0, len(wanted)), np.float32)
        self.mean: NDArray[np.float32] = self.best
        if self.keys:
            counts = np.array([len(places) for places in self._places.values()])
            starts = np.concatenate([[0], np.cumsum(counts)[:-1]])
            rows = self._cosines[[at for places in self._places.values() for at in places]]
            self.best = np.maximum.reduceat(rows, starts)
            self.mean = np.asarray(np.add.reduceat(rows, starts) / counts[:, None], np.float32)

    def rankings(self) -> dict[str, list[Key]]:
        """The items by each of the cosines, the nearest first; of equal ones the smaller key."""
        found = {}
        for number in range(self.best.shape[1]):
            for name, cosines in (("best", self.best), ("mean", self.mean)):
                column = cosines[:, number].tolist()
                order = sorted(range(len(self.keys)), key=lambda at: (-column[at], self.keys[at]))
                found[f"{name} {number}"] = [self.keys[at] for at in order]
        return found

    def best_chunk(self, key: Key) -> str:
        """The text of an item's chunk that is nearest to any of the texts."""
        return self._chunks[max(self._places[key], key=lambda at: float(self._cosines[at].max()))]
