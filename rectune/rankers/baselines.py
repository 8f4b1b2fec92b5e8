"""The baseline rankers without interactions: chance, BM25, and sentence embeddings."""

from __future__ import annotations

import itertools
import re
from abc import abstractmethod
from collections.abc import Callable, Collection, Iterable, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Self

import numpy as np

from rectune.core.errors import UserError
from rectune.core.rng import generator_of
from rectune.prompts.titles import fold
from rectune.rankers.base import CatalogueRanker, Ranker, ScoredItem, Scores
from rectune.rankers.saved import SavedRanker, load_saved, save_ranker
from rectune.retrieval.bm25 import TermScores
from rectune.retrieval.terms import refuse_other_segmenter, segmenter_of

if TYPE_CHECKING:
    from scipy.sparse import csr_array

    from rectune.rankers.domain_data import DomainData
    from rectune.retrieval.embedding import Vectors

LAST_ITEMS = 10  # items of a history that are looked at: the latest
_BM25_FORMAT = 2  # 1: words alone
_FIT_AGAIN = "fit the ranker and save it again"
_WORD = re.compile(r"\w+")


class Random(CatalogueRanker):
    """Uniform scores, which depend on seed and history alone, not on the other cases."""

    name = "random"
    learns_from_likes = False

    def __init__(self, seed: int | None = None) -> None:
        self._given, self.seed = seed, seed or 0

    def fit(self, data: DomainData) -> Self:
        """Takes the seed of the data, unless it was given one."""
        self.item_ids = tuple(data.items)
        self.seed = data.seed if self._given is None else self._given
        return self

    def score_all(self, histories: Sequence[Sequence[str]]) -> Scores:
        """See `Ranker.score_all`."""
        rows = [
            generator_of("random", self.seed, list(history)).random(len(self.item_ids))
            for history in histories
        ]
        return np.array(rows).reshape(len(histories), len(self.item_ids))

    def save(self, folder: Path) -> None:
        """See `Ranker.save`."""
        save_ranker(folder, SavedRanker(self.name, {"item_id": self.item_ids}, {"seed": self.seed}))

    @classmethod
    def load(cls, folder: Path) -> Self:
        """See `Ranker.load`."""
        saved = load_saved(folder, cls.name)
        ranker = cls(int(saved.parameters["seed"]))
        ranker.item_ids = tuple(saved.items["item_id"])
        return ranker


def words_of(text: str) -> list[str]:
    """The words of a text, case aside."""
    return _WORD.findall(fold(text))


class Bm25(CatalogueRanker):
    """Okapi BM25 over words, and over morphemes of Korean; see `rectune.retrieval.bm25.TermScores`.

    An item's document is its title and categories; the query is the terms of the last items of the history,
    each as often as items have it. Without `kiwipiepy` Korean counts by pairs of letters, which is said.
    """

    name = "bm25"
    learns_from_likes = False

    def __init__(self, last: int = LAST_ITEMS) -> None:
        self.last = last

    def fit(self, data: DomainData) -> Self:
        """Counts the terms of every item of the domain."""
        return self._set(tuple(data.items), TermScores.fitted(data.terms))

    def _set(self, item_ids: Sequence[str], terms: TermScores) -> Self:
        self.item_ids, self._terms = tuple(item_ids), terms
        return self

    def score_all(self, histories: Sequence[Sequence[str]]) -> Scores:
        """See `Ranker.score_all`."""
        return self._terms.scores(self.counts_in(histories, self.last) @ self._has_term)

    def score_texts(self, texts: Sequence[str]) -> Scores:
        """[len(texts), len(item_ids)] how well the terms of each item fit those of a text."""
        return self._terms.score_texts(texts)

    def top_for_text(
        self, text: str, k: int, exclude: Collection[str] = (), within: Collection[str] | None = None
    ) -> list[ScoredItem]:
        """The k items that fit a text; none that shares no term with it, nor one of like meaning."""
        scores = self.score_texts([text])[0]
        order = (at for at in np.argsort(-scores, kind="stable") if scores[at] > 0)
        found = ((self.item_ids[at], float(scores[at])) for at in order)
        allowed = (
            ScoredItem(item, score)
            for item, score in found
            if item not in exclude and (within is None or item in within)
        )
        return list(itertools.islice(allowed, k))

    @cached_property
    def _has_term(self) -> csr_array:
        """[items, terms] 1 where an item has a term."""
        has = self._terms.weights.copy()
        has.data = np.ones_like(has.data)
        return has

    def save(self, folder: Path) -> None:
        """See `Ranker.save`."""
        weights, terms = self._terms.weights, list(self._terms.column)
        joined = np.frombuffer("\n".join(terms).encode(), np.uint8)  # no term holds an end of a line
        arrays = {"data": weights.data, "indices": weights.indices, "indptr": weights.indptr, "terms": joined}
        parameters = {"last": self.last, "format": _BM25_FORMAT, "segmenter": segmenter_of(terms)}
        save_ranker(folder, SavedRanker(self.name, {"item_id": self.item_ids}, parameters, arrays))

    @classmethod
    def load(cls, folder: Path) -> Self:
        """See `Ranker.load`; also refuses one whose Korean was split in another way than here."""
        from scipy.sparse import csr_array

        saved = load_saved(folder, cls.name)
        if (format_ := saved.parameters.get("format", 1)) != _BM25_FORMAT:
            raise UserError(
                f"a saved bm25 of format {format_}, not {_BM25_FORMAT}", where=str(folder), hint=_FIT_AGAIN
            )
        refuse_other_segmenter(str(saved.parameters["segmenter"]), folder, _FIT_AGAIN)
        rows = tuple(saved.arrays[name] for name in ("data", "indices", "indptr"))
        terms = saved.arrays["terms"].tobytes().decode().split("\n") if saved.arrays["terms"].size else []
        weights = csr_array(rows, shape=(len(saved.items["item_id"]), len(terms)))
        return cls(int(saved.parameters["last"]))._set(saved.items["item_id"], TermScores(weights, terms))


class _EmbeddingRanker(Ranker):
    """Cosines of sentence embeddings of title and categories."""

    learns_from_likes = False

    def __init__(self, last: int = LAST_ITEMS) -> None:
        self.last = last

    def fit(self, data: DomainData) -> Self:
        """Remembers the domain; each item is embedded when it is first scored."""
        return self._set(tuple(data.items), data.vectors, data.all_vectors, data.embedder, data.embed)

    def _set(
        self,
        item_ids: Sequence[str],
        vectors: Callable[[Sequence[str]], Vectors],
        every: Callable[[], Vectors],
        embedder: str,
        prepare: Callable[[Iterable[str]], None] = lambda items: None,
    ) -> Self:
        self.item_ids, self._known = tuple(item_ids), frozenset(item_ids)
        self._vectors, self._every = vectors, every
        self._embedder, self._prepare = embedder, prepare
        return self

    def score(self, histories: Sequence[Sequence[str]], candidates: Sequence[Sequence[str]]) -> list[Scores]:
        """See `CandidateScorer.score`; a case with an empty history scores zero throughout."""
        recent = [[item for item in history[-self.last :] if item in self._known] for history in histories]
        shown = [[item for item in case if item in self._known] for case in candidates]
        self._prepare(item for case in (*recent, *shown) for item in case)
        found: list[Scores] = []
        for history, known, case in zip(recent, shown, candidates, strict=True):
            scores = np.zeros(len(case))
            if history and known:
                cosines = (
                    self._vectors(history).astype(np.float64) @ self._vectors(known).T
                )  # [history, known]
                scores[[item in self._known for item in case]] = self.pooled(cosines)
            found.append(scores)
        return found

    def score_all(self, histories: Sequence[Sequence[str]]) -> Scores:
        """See `Ranker.score_all`; embeds the whole catalogue."""
        scores = np.zeros((len(histories), len(self.item_ids)))
        if not self.item_ids:
            return scores
        every = self._every()
        for row, history in zip(scores, histories, strict=True):
            if known := [item for item in history[-self.last :] if item in self._known]:
                row[:] = self.pooled((self._vectors(known) @ every.T).astype(np.float64))
        return scores

    def vectors(self) -> Vectors:
        """[items, d] unit rows of all items, in their order; embeds what is not embedded yet."""
        return self._every()

    def score_texts(self, texts: Sequence[str]) -> Scores:
        """[len(texts), len(item_ids)] cosines of each item with a text."""
        from rectune.retrieval.embedding import embed

        if not self.item_ids or not texts:
            return np.zeros((len(texts), len(self.item_ids)))
        return embed(texts, self._embedder).astype(np.float64) @ self._every().T

    @abstractmethod
    def pooled(self, cosines: Scores) -> Scores:
        """[history, candidates] cosines -> [candidates]."""

    def save(self, folder: Path) -> None:
        """See `Ranker.save`; embeds what is not embedded yet."""
        vectors = self._every() if self.item_ids else np.zeros((0, 1), np.float32)
        items = {"item_id": self.item_ids}
        parameters = {"last": self.last, "embedder": self._embedder}
        save_ranker(folder, SavedRanker(self.name, items, parameters, {"vectors": vectors}))

    @classmethod
    def load(cls, folder: Path) -> Self:
        """See `Ranker.load`."""
        saved = load_saved(folder, cls.name)
        rows, place = saved.arrays["vectors"], {item: at for at, item in enumerate(saved.items["item_id"])}
        ranker, embedder = cls(int(saved.parameters["last"])), str(saved.parameters["embedder"])
        return ranker._set(
            saved.items["item_id"],
            lambda items: rows[[place[item] for item in items]],
            lambda: rows,
            embedder,
        )


class EmbeddingMean(_EmbeddingRanker):
    """Cosine between a candidate and the mean of the last items of the history."""

    name = "embedding_mean"

    def pooled(self, cosines: Scores) -> Scores:
        """The mean profile's cosine, up to a factor a case."""
        mean: Scores = cosines.mean(axis=0)
        return mean


class EmbeddingBest(_EmbeddingRanker):
    """Cosine between a candidate and the most similar one of the last items of the history."""

    name = "embedding_best"

    def pooled(self, cosines: Scores) -> Scores:
        """The highest cosine."""
        best: Scores = cosines.max(axis=0)
        return best
