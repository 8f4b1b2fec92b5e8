"""Full text in scripts without spaces: BM25 over the terms that an index keeps of each chunk."""

from __future__ import annotations

import typing
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from typing import Any

import numpy as np

from rectune.retrieval.bm25 import TermScores
from rectune.retrieval.request_words import request_words
from rectune.retrieval.terms import terms_of

if typing.TYPE_CHECKING:
    import pyarrow as pa


class FoundItem(typing.NamedTuple):
    """An item that has terms of a query."""

    domain: str
    item_id: str
    title: str


class TermSearch:
    """The chunks of a table whose column `terms` is filled, in memory.

    Args:
        rows: columns `domain`, `item_id`, `title`, and `terms`: terms joined by spaces.
    """

    def __init__(self, rows: pa.Table) -> None:
        columns = (rows[name].to_pylist() for name in FoundItem._fields)
        self._items = [FoundItem(*values) for values in zip(*columns, strict=True)]
        self._domains = np.array([item.domain for item in self._items], np.object_)
        self._scores = TermScores.fitted(terms.split() for terms in rows["terms"].to_pylist())

    def top(
        self,
        texts: Sequence[str],
        weights: Sequence[float],
        k: int,
        domain: str | None = None,
        without: AbstractSet[str] = frozenset(),
        within: AbstractSet[str] | None = None,
    ) -> list[FoundItem]:
        """The k items with the highest weighted sum of the texts' scores, an item by its best chunk.

        Args:
            texts: what is looked for.
            weights: of each text.
            k: how many; fewer if no more have any term.
            domain: only its items; None means all.
            without: item ids to leave out.
            within: the only ids that are looked for; None means all.
        """
        scores: Any = np.asarray(weights) @ self._scores.score_texts(texts, request_words(domain))
        if domain is not None:
            scores = np.where(self._domains == domain, scores, 0.0)
        found = dict[FoundItem, None]()
        for at in np.argsort(-scores, kind="stable"):
            if scores[at] <= 0 or len(found) >= k:
                break
            item = self._items[at]
            if item.item_id not in without and (within is None or item.item_id in within):
                found.setdefault(item)
        return list(found)

    def has_words(self, text: str, domain: str) -> bool:
        """Whether an item of the domain has one of the text's terms that say what is wanted."""
        asked = (self._scores.column.get(term) for term in {*next(terms_of([text]))} - request_words(domain))
        columns = [column for column in asked if column is not None]
        there = self._scores.weights[np.flatnonzero(self._domains == domain)]
        return bool(columns) and bool(there[:, columns].nnz)
