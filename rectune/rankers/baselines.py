"""The baseline rankers: chance, popularity, BM25, and sentence embeddings."""

from __future__ import annotations

import itertools
import math
import re
from abc import abstractmethod
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Self

import numpy as np
from numpy.typing import NDArray

from rectune.core.types import content_id
from rectune.prompts.titles import fold
from rectune.rankers.base import Ranker, ScoredItem, Scores
from rectune.rankers.saved import SavedRanker, load_saved, save_ranker

if TYPE_CHECKING:
    from scipy.sparse import csr_array

    from rectune.rankers.domain_data import DomainData
    from rectune.retrieval.embedding import Vectors

LAST_ITEMS = 10  # items of a history that are looked at: the latest
K1, B = 1.2, 0.75  # of BM25
_WORD = re.compile(r"\w+")


class Random(Ranker):
    """Uniform scores, which depend on seed, history and candidates alone, not on the other cases."""

    name = "random"

    def __init__(self, seed: int | None = None) -> None:
        self._given, self.seed = seed, seed or 0

    def fit(self, data: DomainData) -> Self:
        """Takes the seed of the data, unless it was given one."""
        self.item_ids = tuple(data.items)
        self.seed = data.seed if self._given is None else self._given
        return self

    def score(self, histories: Sequence[Sequence[str]], candidates: Sequence[Sequence[str]]) -> list[Scores]:
        """See `CandidateScorer.score`."""
        return [self._scores(h, c) for h, c in zip(histories, candidates, strict=True)]

    def _scores(self, history: Sequence[str], candidates: Sequence[str]) -> Scores:
        seed = int(content_id("random", self.seed, list(history), list(candidates)), 16)
        return np.random.default_rng(seed).random(len(candidates))

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


class Popularity(Ranker):
    """The number of train users who liked the item; the history is ignored."""

    name = "popularity"

    def fit(self, data: DomainData) -> Self:
        """Counts the likes of the train users."""
        return self._set(data.likes.item_ids, data.likes.counts)

    def _set(self, item_ids: Sequence[str], counts: np.ndarray[tuple[int], np.dtype[np.int64]]) -> Self:
        self.item_ids = tuple(item_ids)
        self._counts = dict(zip(self.item_ids, counts.tolist(), strict=True))
        return self

    def score(self, histories: Sequence[Sequence[str]], candidates: Sequence[Sequence[str]]) -> list[Scores]:
        """See `CandidateScorer.score`."""
        return [
            np.array([self._counts.get(item, 0) for item in case], np.float64)
            for _, case in zip(histories, candidates, strict=True)
        ]

    def save(self, folder: Path) -> None:
        """See `Ranker.save`."""
        counts = np.array([self._counts[item] for item in self.item_ids], np.int64)
        save_ranker(folder, SavedRanker(self.name, {"item_id": self.item_ids}, arrays={"counts": counts}))

    @classmethod
    def load(cls, folder: Path) -> Self:
        """See `Ranker.load`."""
        saved = load_saved(folder, cls.name)
        return cls()._set(saved.items["item_id"], saved.arrays["counts"])


def words_of(text: str) -> list[str]:
    """The words of a text, case aside."""
    return _WORD.findall(fold(text))


class Bm25(Ranker):
    """Okapi BM25 (Robertson and Zaragoza 2009, "The Probabilistic Relevance Framework: BM25 and Beyond").

    An item's document is its title and categories; the query is the words of the last items of the history,
    each as often as items have it. score = sum over the query's words of idf * tf / (tf + k1 * (1 - b + b *
    length / mean length)).
    """

    name = "bm25"

    def __init__(self, last: int = LAST_ITEMS) -> None:
        self.last = last

    def fit(self, data: DomainData) -> Self:
        """Counts the words of every item of the domain."""
        return self._set(
            tuple(data.items), *_bm25_weights([Counter(words_of(data.text(i))) for i in data.items])
        )

    def _set(self, item_ids: Sequence[str], weights: csr_array, words: Sequence[str]) -> Self:
        self.item_ids, self._column = tuple(item_ids), {word: at for at, word in enumerate(words)}
        self._place = {item: at for at, item in enumerate(self.item_ids)}
        self._weights = weights
        return self

    def score(self, histories: Sequence[Sequence[str]], candidates: Sequence[Sequence[str]]) -> list[Scores]:
        """See `CandidateScorer.score`."""
        return [self._scores(h[-self.last :], c) for h, c in zip(histories, candidates, strict=True)]

    def top_for_text(
        self, text: str, k: int, exclude: Collection[str] = (), within: Collection[str] | None = None
    ) -> list[ScoredItem]:
        """The k items whose words fit those of a text; none that shares no word with it."""
        query = np.zeros(len(self._column))
        for word in words_of(text):
            if (at := self._column.get(word)) is not None:
                query[at] += 1
        scores = self._weights @ query
        order = (at for at in np.argsort(-scores, kind="stable") if scores[at] > 0)
        found = ((self.item_ids[at], float(scores[at])) for at in order)
        allowed = (
            ScoredItem(item, score)
            for item, score in found
            if item not in exclude and (within is None or item in within)
        )
        return list(itertools.islice(allowed, k))

    def _scores(self, history: Sequence[str], candidates: Sequence[str]) -> Scores:
        scores = np.zeros(len(candidates))
        known = [n for n, item in enumerate(candidates) if item in self._place]
        if known:
            places = [self._place[candidates[n]] for n in known]
            scores[known] = self._weights[places] @ self._query(history)
        return scores

    def _scores_of(self, history: Sequence[str], places: NDArray[np.int64]) -> Scores:
        scores: Scores = (self._weights @ self._query(history[-self.last :]))[places]
        return scores

    def _query(self, history: Sequence[str]) -> Scores:
        """[words] how many items of the history have each word."""
        weights = self._weights
        query = np.zeros(weights.shape[1])
        for item in history:
            if (at := self._place.get(item)) is not None:
                query[weights.indices[weights.indptr[at] : weights.indptr[at + 1]]] += 1
        return query

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

    def __init__(self, last: int = LAST_ITEMS) -> None:
        self.last = last

    def fit(self, data: DomainData) -> Self:
        """Remembers the domain; each item is embedded when it is first scored."""
        return self._set(tuple(data.items), data.vectors, data.embed)

    def _set(
        self,
        item_ids: Sequence[str],
        vectors: Callable[[Sequence[str]], Vectors],
        prepare: Callable[[Iterable[str]], None] = lambda items: None,
    ) -> Self:
        self.item_ids, self._known = tuple(item_ids), frozenset(item_ids)
        self._vectors, self._prepare = vectors, prepare
        return self

    def score(self, histories: Sequence[Sequence[str]], candidates: Sequence[Sequence[str]]) -> list[Scores]:
        """See `CandidateScorer.score`; a case with an empty history scores zero throughout."""
        recent = [[item for item in history[-self.last :] if item in self._known] for history in histories]
        shown = [[item for item in case if item in self._known] for case in candidates]
        self._prepare(item for case in (*recent, *shown) for item in case)
        found = []
        for history, known, case in zip(recent, shown, candidates, strict=True):
            scores = np.zeros(len(case))
            if history and known:
                cosines = (
                    self._vectors(history).astype(np.float64) @ self._vectors(known).T
                )  # [history, known]
                scores[[item in self._known for item in case]] = self.pooled(cosines)
            found.append(scores)
        return found

    @abstractmethod
    def pooled(self, cosines: Scores) -> Scores:
        """[history, candidates] cosines -> [candidates]."""

    def save(self, folder: Path) -> None:
        """See `Ranker.save`; embeds what is not embedded yet."""
        self._prepare(self.item_ids)
        vectors = self._vectors(self.item_ids) if self.item_ids else np.zeros((0, 1), np.float32)
        items = {"item_id": self.item_ids}
        save_ranker(folder, SavedRanker(self.name, items, {"last": self.last}, {"vectors": vectors}))

    @classmethod
    def load(cls, folder: Path) -> Self:
        """See `Ranker.load`."""
        saved = load_saved(folder, cls.name)
        rows, place = saved.arrays["vectors"], {item: at for at, item in enumerate(saved.items["item_id"])}
        ranker = cls(int(saved.parameters["last"]))
        return ranker._set(saved.items["item_id"], lambda items: rows[[place[item] for item in items]])


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
