"""Full text in scripts without spaces: BM25 over the terms that an index keeps of each chunk."""

from __future__ import annotations

import typing
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from functools import cached_property
from typing import Any

import numpy as np

from rectune.retrieval.bm25 import Scores, TermScores
from rectune.retrieval.query_terms import QueryTerm, head_of_phrase, query_terms, share_found
from rectune.retrieval.request_words import request_words

if typing.TYPE_CHECKING:
    import pyarrow as pa


_ALIKE = 0.5  # of a noun of like meaning, where it is asked whether anything fits


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
        asking = request_words(domain)
        scores: Any = np.asarray(weights) @ self._scores.score_texts(texts, asking)
        if len(texts) == 1:  # a query: several texts are a draft, or a history
            scores = scores + weights[0] * self._of_head(head_of_phrase(texts[0], asking))
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

    def share_found(self, text: str, domain: str) -> float:
        """The largest share of what a query asks for that one item of the domain has, 0 to 1.

        The head of the phrase counts twice, verbs and adjectives half; a noun of like meaning counts half of
        how like it is, a misspelt word for what it is taken for. 0 for a query that says nothing.
        """
        terms = query_terms(text, request_words(domain))
        there = np.flatnonzero(self._domains == domain)
        if not terms or not len(there):
            return 0.0
        spelt = max((self._by_item(one)[there].max() for one in self._scores.misspelt(text)), default=0.0)
        found = share_found(terms, [self._has(one)[there] for one in terms])
        return max(float(found.max()), float(spelt))

    def _has(self, term: QueryTerm) -> Scores:
        """[rows] how far each row's item has a term, 0 to 1."""
        known, like = self._scores.column, map(self._scores.like, term.forms)
        own = {known[form]: 1.0 for form in term.forms if form in known}
        alike = {at: _ALIKE * share for columns in like for at, share in columns.items()}
        return self._by_item(alike | own)

    def _by_item(self, shares: Mapping[int, float]) -> Scores:
        """[rows] the largest share of these columns that any chunk of a row's item has."""
        best = np.zeros(len(self._items))
        for column, share in shares.items():
            np.maximum.at(best, self._item_of[self._rows_with(column)], share)
        found: Scores = best[self._item_of]
        return found

    def _rows_with(self, column: int) -> Any:
        return self._columns.indices[self._columns.indptr[column] : self._columns.indptr[column + 1]]

    def _of_head(self, forms: Sequence[str]) -> Scores:
        """[rows] what the head of a query adds: its weight again where an item has it, and once more where
        the item's title ends on it.
        """
        added = np.zeros(len(self._items))
        columns = [self._scores.column[one] for one in forms if one in self._scores.column]
        for column in columns[:1]:
            added[self._rows_with(column)] += self._scores.idf[column]
            ends = [column in self._heads[at] for at in range(len(self._items))]
            added[ends] += self._scores.idf[column]
        return added

    @cached_property
    def _columns(self) -> Any:
        """The weights by columns: [rows, terms], CSC."""
        return self._scores.weights.tocsc()

    @cached_property
    def _item_of(self) -> Any:
        """[rows] the number of each row's item."""
        numbers = {item: at for at, item in enumerate(dict.fromkeys(self._items))}
        return np.array([numbers[item] for item in self._items], np.int64)

    @cached_property
    def _heads(self) -> list[frozenset[int]]:
        """For each row the columns of the last noun of its title."""
        by_title = {title: head_of_phrase(title) for title in {item.title for item in self._items}}
        known = self._scores.column
        return [frozenset(known[one] for one in by_title[item.title] if one in known) for item in self._items]
