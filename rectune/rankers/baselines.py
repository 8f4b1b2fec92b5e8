"""The baseline rankers without interactions: chance, BM25, and sentence embeddings."""

from __future__ import annotations

import itertools
import math
import re
from abc import abstractmethod
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Self

import numpy as np

from rectune.core.rng import generator_of
from rectune.prompts.titles import fold
from rectune.rankers.base import CatalogueRanker, Ranker, ScoredItem, Scores
from rectune.rankers.saved import SavedRanker, load_saved, save_ranker

if TYPE_CHECKING:
    from scipy.sparse import csr_array

    from rectune.rankers.domain_data import DomainData
    from rectune.retrieval.embedding import Vectors

LAST_ITEMS = 10  # items of a history that are looked at: the latest
K1, B = 1.2, 0.75  # of BM25
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
    """Okapi BM25 (Robertson and Zaragoza 2009, "The Probabilistic Relevance Framework: BM25 and Beyond").

    An item's document is its title and categories; the query is the words of the last items of the history,
    each as often as items have it. score = sum over the query's words of idf * tf / (tf + k1 * (1 - b + b *
    length / mean length)).
    """

    name = "bm25"
    learns_from_likes = False

    def __init__(self, last: int = LAST_ITEMS) -> None:
        self.last = last

    def fit(self, data: DomainData) -> Self:
        """Counts the words of every item of the domain."""
        return self._set(
            tuple(data.items), *_bm25_weights([Counter(words_of(data.text(i))) for i in data.items])
        )

    def _set(self, item_ids: Sequence[str], weights: csr_array, words: Sequence[str]) -> Self:
        self.item_ids, self._column = tuple(item_ids), {word: at for at, word in enumerate(words)}
        self._weights = weights
        return self

    def score_all(self, histories: Sequence[Sequence[str]]) -> Scores:
        """See `Ranker.score_all`."""
        queries = self.counts_in(histories, self.last) @ self._has_word
        scores: Scores = (queries @ self._weights.T).toarray()
        return scores

    def score_texts(self, texts: Sequence[str]) -> Scores:
        """[len(texts), len(item_ids)] how well the words of each item fit those of a text."""
        queries = np.zeros((len(texts), len(self._column)))
        for row, text in zip(queries, texts, strict=True):
            for word in words_of(text):
                if (at := self._column.get(word)) is not None:
                    row[at] += 1
        scores: Scores = (self._weights @ queries.T).T
        return scores

    def top_for_text(
        self, text: str, k: int, exclude: Collection[str] = (), within: Collection[str] | None = None
    ) -> list[ScoredItem]:
        """The k items whose words fit those of a text; none that shares no word with it."""
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
    def _has_word(self) -> csr_array:
        """[items, words] 1 where an item has a word."""
        has = self._weights.copy()
        has.data = np.ones_like(has.data)
        return has

    def save(self, folder: Path) -> None:
        """See `Ranker.save`."""
        weights = self._weights
        words = np.frombuffer("\n".join(self._column).encode(), np.uint8)  # \w+ holds no end of a line
        arrays = {"data": weights.data, "indices": weights.indices, "indptr": weights.indptr, "words": words}
        parameters = {"last": self.last}
        save_ranker(folder, SavedRanker(self.name, {"item_id": self.item_ids}, parameters, arrays))

    @classmethod
    def load(cls, folder: Path) -> Self:
        """See `Ranker.load`."""
        from scipy.sparse import csr_array

        saved = load_saved(folder, cls.name)
        rows = tuple(saved.arrays[name] for name in ("data", "indices", "indptr"))
        words = saved.arrays["words"].tobytes().decode().split("\n") if saved.arrays["words"].size else []
        weights = csr_array(rows, shape=(len(saved.items["item_id"]), len(words)))
        return cls(int(saved.parameters["last"]))._set(saved.items["item_id"], weights, words)


def _bm25_weights(documents: Sequence[Counter[str]]) -> tuple[csr_array, list[str]]:
    """[documents, words] BM25 weights of words in documents, for a query with one of each; and the words."""
    from scipy.sparse import csr_array

    count = len(documents)
    found_in = Counter(word for document in documents for word in document)
    mean = sum(document.total() for document in documents) / max(count, 1) or 1.0
    idf = {word: math.log(1 + (count - n + 0.5) / (n + 0.5)) for word, n in found_in.items()}
    column = {word: at for at, word in enumerate(found_in)}
    data, indices, bounds = [], [], [0]
    for document in documents:
        norm = K1 * (1 - B + B * document.total() / mean)
        data += [idf[word] * n / (n + norm) for word, n in document.items()]
        indices += [column[word] for word in document]
        bounds.append(len(data))
    rows = (np.array(data, np.float64), np.array(indices, np.int64), np.array(bounds, np.int64))
    return csr_array(rows, shape=(count, len(column))), list(column)


class _EmbeddingRanker(Ranker):
    """Cosines of sentence embeddings of title and categories."""

    learns_from_likes = False

    def __init__(self, last: int = LAST_ITEMS) -> None:
        self.last = last

    def fit(self, data: DomainData) -> Self:
        """Remembers the domain; each item is embedded when it is first scored."""
        return self._set(tuple(data.items), data.vectors, data.embedder, data.embed)

    def _set(
        self,
        item_ids: Sequence[str],
        vectors: Callable[[Sequence[str]], Vectors],
        embedder: str,
        prepare: Callable[[Iterable[str]], None] = lambda items: None,
    ) -> Self:
        self.item_ids, self._known = tuple(item_ids), frozenset(item_ids)
        self._vectors, self._embedder, self._prepare = vectors, embedder, prepare
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
        self._prepare(self.item_ids)
        every = self._vectors(self.item_ids)
        for row, history in zip(scores, histories, strict=True):
            if known := [item for item in history[-self.last :] if item in self._known]:
                row[:] = self.pooled((self._vectors(known) @ every.T).astype(np.float64))
        return scores

    def score_texts(self, texts: Sequence[str]) -> Scores:
        """[len(texts), len(item_ids)] cosines of each item with a text."""
        from rectune.retrieval.embedding import embed

        self._prepare(self.item_ids)
        if not self.item_ids or not texts:
            return np.zeros((len(texts), len(self.item_ids)))
        return embed(texts, self._embedder).astype(np.float64) @ self._vectors(self.item_ids).T

    @abstractmethod
    def pooled(self, cosines: Scores) -> Scores:
        """[history, candidates] cosines -> [candidates]."""

    def save(self, folder: Path) -> None:
        """See `Ranker.save`; embeds what is not embedded yet."""
        self._prepare(self.item_ids)
        vectors = self._vectors(self.item_ids) if self.item_ids else np.zeros((0, 1), np.float32)
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
            saved.items["item_id"], lambda items: rows[[place[item] for item in items]], embedder
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
