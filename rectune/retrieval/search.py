"""Searching an index: nearest chunks, full text by words and by terms, and their fusion."""

from __future__ import annotations

import typing
from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from rectune.core.text.plain import encodable, is_unsegmented
from rectune.retrieval import chunks_in_memory
from rectune.retrieval.chunks_in_memory import ChunksInMemory
from rectune.retrieval.embedding import Vectors, embed, embed_query, kept_in_request, reads
from rectune.retrieval.item_cosines import ItemCosines, Key
from rectune.retrieval.rank_fusion import reciprocal_rank_fusion
from rectune.retrieval.table_rows import ALL, SHOWN, found_rows, matrix, quoted
from rectune.retrieval.term_search import FoundItem, TermSearch
from rectune.retrieval.terms import needs_terms

if typing.TYPE_CHECKING:
    from lancedb.table import Table

_POOL = 50  # chunks that each search brings in, at the least
_PROBES, _REFINE = (
    64,
    8,
)  # partitions searched, and how many times the wanted rows are compared exactly (IVF-PQ)
_LONGEST_QUERY = 4000  # characters of a text that full text looks for
_BLIND = 1e-6  # weight of a vector that an embedder made of a text that it cannot read


@dataclass(frozen=True)
class SearchHit:
    """An item that was found.

    `similarity` is the cosine of the query and the item's best chunk, -1 to 1 (0 where only full text found
    it), `mean` that of all its chunks. `evidence` is the text of the best chunk. `ranks` is the item's rank
    in each search, `score` their fused score.
    """

    item_id: str
    title: str
    domain: str
    similarity: float
    mean: float = 0.0
    evidence: str = ""
    ranks: Mapping[str, int] = field(default_factory=dict)
    score: float = 0.0


class CatalogueIndex:
    """An open index; `rectune.retrieval.index` makes one.

    Attributes:
        items: how many items it holds.
        chunks: how many chunks.
        approximate: whether vectors are searched by IVF-PQ, or all of them compared.
        segmenter: what split texts in Hangul (`rectune.core.text.morphemes`); empty where no chunk is of a
            script without spaces.
        min_similarities: the relevance threshold of each domain, a cosine.
        folder: where it lies.
    """

    def __init__(self, table: Table, embedder: str, items: int, **facts: Any) -> None:
        self.embedder, self.items = embedder, items
        self.chunks: int = facts.get("chunks", items)
        self.approximate: bool = facts.get("approximate", False)
        self.segmenter: str = facts.get("segmenter", "")
        self.min_similarities: Mapping[str, float] = facts.get("min_similarities", {})
        self.folder: Path | None = facts.get("folder")
        self._table = table

    def near(
        self, text: str, domain: str | None = None, k: int = 10, without: AbstractSet[str] = frozenset()
    ) -> list[SearchHit]:
        """The `k` items of which a chunk is nearest to `text`, best first.

        Args:
            text: the query, or a whole generated answer.
            domain: only items of this domain; None means all.
            k: how many; fewer only if the catalogue has no more.
            without: item ids to leave out (the history).
        """
        text = encodable(text)
        return self._nearest(embed_query(text, self.embedder), domain, k, without, text=text)

    def find(
        self,
        texts: Sequence[str],
        domain: str | None = None,
        k: int = 10,
        without: AbstractSet[str] = frozenset(),
        weights: Sequence[float] | None = None,
        within: AbstractSet[str] | None = None,
    ) -> list[SearchHit]:
        """The `k` best items for several query texts together: a model's answer, and its request's texts.

        Three rankings of the items that any search finds (by their best chunk, by the mean of their chunks,
        by full text over words), for each of the texts, are fused by reciprocal rank. Texts in Hangul and
        other scripts without spaces have one ranking by full text together, over the sum of their scores
        (`rectune.retrieval.bm25`). `weights` are per text, 1 by default; `within` are the only ids
        that are looked for. If the embedder does not know a text's language, vectors only break ties of full
        text.
        """
        given = zip(texts, weights or [1.0] * len(texts), strict=True)
        said = [(encodable(text), weight) for text, weight in given if text.strip()]
        if not said or k < 1 or (within is not None and not within):
            return []
        texts, pool = [text for text, _ in said], max(k, _POOL)
        one = len(texts) == 1
        vectors = embed_query(texts[0], self.embedder)[None] if one else embed(texts, self.embedder)
        known: dict[Key, SearchHit] = {}
        for vector in vectors:
            hits = self._nearest(vector, domain, pool, without, within, texts[0] if one else "")
            known |= {(hit.domain, hit.item_id): hit for hit in hits}
        found: dict[str, list[Key]] = {}
        weight_of: dict[str, float] = {}
        for number, (text, weight) in enumerate(said):
            seen = weight * (1.0 if reads(self.embedder, text) else _BLIND)
            weight_of |= {f"best {number}": seen, f"mean {number}": seen}
        for name, hits, weight in self._full_text(said, domain, pool, without, within):
            known |= {(hit.domain, hit.item_id): hit for hit in hits}
            found[name], weight_of[name] = [(hit.domain, hit.item_id) for hit in hits], weight
        return self._fused(self._cosines(known, vectors), known, found, weight_of, k)

    def search_text(self, text: str, domain: str | None = None, k: int = _POOL) -> list[SearchHit]:
        """Up to `k` items by full text alone (BM25): by terms for scripts without spaces, else by words."""
        rankings = [hits for _, hits, _ in self._full_text([(encodable(text), 1.0)], domain, k)]
        return list({(hit.domain, hit.item_id): hit for hits in rankings for hit in hits}.values())[:k]

    def share_found(self, text: str, domain: str) -> float:
        """The largest share of what a query asks for that one item of the domain has, 0 to 1; 0 in an index
        without texts in Korean or a script without spaces. See `TermSearch.share_found`.
        """
        if not self.segmenter:
            return 0.0
        return self._term_search.share_found(encodable(text)[:_LONGEST_QUERY], domain)

    def _full_text(
        self,
        said: Sequence[tuple[str, float]],
        domain: str | None,
        k: int,
        without: AbstractSet[str] = frozenset(),
        within: AbstractSet[str] | None = None,
    ) -> Iterator[tuple[str, list[SearchHit], float]]:
        """Rankings by full text: the name of each, its hits, and its weight."""
        for number, (text, weight) in enumerate(said):
            if not (self.segmenter and is_unsegmented(text)):
                matches = self._matches(text, domain, k, within)
                hits = [hit for hit in matches if hit.item_id not in without]
                if self.segmenter and not needs_terms(text):  # "LG" also stands in a Korean text's "LG전자"
                    there = {(hit.domain, hit.item_id) for hit in hits}
                    more = self._by_terms([text], [1.0], k, domain, without, within)
                    hits += [hit for hit in more if (hit.domain, hit.item_id) not in there][: k - len(hits)]
                yield f"words {number}", hits, weight
        split = [(text[:_LONGEST_QUERY], weight) for text, weight in said if needs_terms(text)]
        if self.segmenter and split:
            texts, weights = zip(*split, strict=True)
            yield "terms 0", self._by_terms(texts, weights, k, domain, without, within), sum(weights)

    def _by_terms(self, *asked: Any) -> list[SearchHit]:
        """See `TermSearch.top`."""
        found = self._term_search.top(*asked)
        return [SearchHit(item.item_id, item.title, item.domain, 0.0) for item in found]

    @cached_property
    def _memory(self) -> ChunksInMemory | None:
        """Read from the table at the first search; None where there are many chunks."""
        if self.approximate or self.chunks > chunks_in_memory.MOST:
            return None
        return ChunksInMemory(self._table.search().select([*SHOWN, "vector"]).limit(ALL).to_arrow())

    @cached_property
    def _term_search(self) -> TermSearch:
        """Read from the table at the first query that needs it."""
        rows = self._table.search().where("terms IS NOT NULL").select([*FoundItem._fields, "terms"])
        return TermSearch(rows.limit(ALL).to_arrow())

    def _nearest(
        self,
        vector: Vectors,
        domain: str | None,
        k: int,
        without: AbstractSet[str],
        within: AbstractSet[str] | None = None,
        text: str = "",
    ) -> list[SearchHit]:
        """Items by their best chunk; more chunks are fetched until `k` different items are found.

        `text` is what the vector is of, if others may look for the same while the request is answered.
        """
        limit = max(_POOL, 2 * (k + len(without)))
        while True:
            rows = self._near_chunks(vector, text, domain, limit, within)
            kept = [row for row in reversed(rows) if row["item_id"] not in without]
            best = {(row["domain"], row["item_id"]): row for row in kept}
            hits = [_hit(row, 1.0 - row["_distance"]) for row in best.values()]
            hits.sort(key=lambda hit: -hit.similarity)
            if len(hits) >= k or len(rows) < limit:
                return hits[:k]
            limit *= 4

    def _near_chunks(
        self, vector: Vectors, text: str, domain: str | None, limit: int, within: AbstractSet[str] | None
    ) -> Sequence[Mapping[str, Any]]:
        """So many chunks at least, the nearest first; fewer only if there are no more."""
        kept = kept_in_request() if text and within is None else {}
        key = ("near", id(self), domain, text)
        most, rows = kept.get(key, (0, ()))
        if most < limit and len(rows) == most:
            rows = self._chunks_by_vector(vector, domain, limit, within)
            kept[key] = limit, rows
        found: Sequence[Mapping[str, Any]] = rows
        return found

    def _chunks_by_vector(
        self, vector: Vectors, domain: str | None, limit: int, within: AbstractSet[str] | None
    ) -> Sequence[Mapping[str, Any]]:
        if self._memory:
            return self._memory.near(vector, domain, limit, within)
        search: Any = self._table.search(vector).distance_type("cosine")
        if self.approximate:
            search = search.minimum_nprobes(_PROBES).maximum_nprobes(0).refine_factor(_REFINE)
        else:
            search = search.bypass_vector_index()
        return found_rows(search, domain, limit, "_distance", within)

    def _matches(
        self, text: str, domain: str | None, k: int, within: AbstractSet[str] | None
    ) -> list[SearchHit]:
        from lancedb.query import MatchQuery

        query = MatchQuery(encodable(text)[:_LONGEST_QUERY], "text")
        rows = found_rows(self._table.search(query, query_type="fts"), domain, k, "_score", within)
        return list({(row["domain"], row["item_id"]): _hit(row, 0.0) for row in reversed(rows)}.values())[
            ::-1
        ]

    def _cosines(self, keys: Iterable[Key], vectors: Vectors) -> ItemCosines:
        """The exact cosines of every chunk of these items with every text."""
        if self._memory:
            return ItemCosines(*self._memory.of_items(keys), vectors)
        by_domain: dict[str, list[str]] = {}
        for domain, item in keys:
            by_domain.setdefault(domain, []).append(quoted(item))
        owners, texts, rows = list[Key](), list[str](), [np.zeros((0, vectors.shape[1]), np.float32)]
        for domain, items in by_domain.items():
            where = f"domain = {quoted(domain)} AND item_id IN ({', '.join(items)})"
            wanted = ["item_id", "text", "vector"]
            found = self._table.search().where(where).select(wanted).limit(ALL).to_arrow()
            owners += [(domain, item) for item in found["item_id"].to_pylist()]
            texts += found["text"].to_pylist()
            rows.append(matrix(found["vector"]))
        return ItemCosines(owners, texts, np.concatenate(rows), vectors)

    @staticmethod
    def _fused(
        cosines: ItemCosines,
        known: Mapping[Key, SearchHit],
        found: Mapping[str, Sequence[Key]],
        weight_of: Mapping[str, float],
        k: int,
    ) -> list[SearchHit]:
        """The `k` best; `weight_of` each ranking, by full text (`found`) and by vectors."""
        rankings = {**found, **cosines.rankings()}
        places = {name: {key: rank for rank, key in enumerate(keys, 1)} for name, keys in rankings.items()}
        scores = reciprocal_rank_fusion(rankings, weight_of)
        most = cosines.best.max(axis=1, initial=-1.0).tolist()
        means = cosines.mean.max(axis=1, initial=-1.0).tolist()
        order = sorted(
            (-scores[key], -similarity, *key, at)
            for at, (key, similarity) in enumerate(zip(cosines.keys, most, strict=True))
        )
        return [
            replace(
                known[key := cosines.keys[at]],
                similarity=most[at],
                mean=means[at],
                evidence=cosines.best_chunk(key),
                score=scores[key],
                ranks={name: place[key] for name, place in sorted(places.items()) if key in place},
            )
            for *_, at in order[:k]
        ]


def _hit(row: Mapping[str, Any], similarity: float) -> SearchHit:
    return SearchHit(row["item_id"], row["title"], row["domain"], similarity, similarity, row["text"])
