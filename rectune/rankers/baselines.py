"""The baseline rankers: chance, popularity, BM25, embeddings, item-kNN, hybrid."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from rectune.core.types import content_id
from rectune.prompts.titles import fold
from rectune.rankers.base import Scores
from rectune.rankers.domain_data import DomainData, TrainLikes
from rectune.rankers.fusion import Fused

if TYPE_CHECKING:
    from scipy.sparse import csr_array

LAST_ITEMS = 10  # items of a history that are looked at
K1, B = 1.2, 0.75  # of BM25
_WORD = re.compile(r"\w+")


@dataclass(frozen=True)
class Random:
    """Uniform scores, which depend on seed, history and candidates alone, not on the other cases."""

    seed: int = 0
    name: str = "random"

    @classmethod
    def of(cls, domain_data: DomainData) -> Random:
        """See `rectune.rankers.base.open_ranker`."""
        return cls(domain_data.seed)

    def score(self, histories: Sequence[Sequence[str]], candidates: Sequence[Sequence[str]]) -> list[Scores]:
        """See `Ranker.score`."""
        return [self._scores(h, c) for h, c in zip(histories, candidates, strict=True)]

    def _scores(self, history: Sequence[str], candidates: Sequence[str]) -> Scores:
        seed = int(content_id("random", self.seed, list(history), list(candidates)), 16)
        return np.random.default_rng(seed).random(len(candidates))


@dataclass(frozen=True)
class Popularity:
    """The number of train users who liked the item; the history is ignored."""

    counts: Mapping[str, int]
    name: str = "popularity"

    @classmethod
    def of(cls, domain_data: DomainData) -> Popularity:
        """See `rectune.rankers.base.open_ranker`."""
        likes = domain_data.likes
        return cls(dict(zip(likes.item_ids, likes.counts.tolist(), strict=True)))

    def score(self, histories: Sequence[Sequence[str]], candidates: Sequence[Sequence[str]]) -> list[Scores]:
        """See `Ranker.score`."""
        return [
            np.array([self.counts.get(item, 0) for item in case], np.float64)
            for _, case in zip(histories, candidates, strict=True)
        ]


def words_of(text: str) -> list[str]:
    """The words of a text, case aside."""
    return _WORD.findall(fold(text))


@dataclass(frozen=True)
class Bm25:
    """Okapi BM25 (Robertson and Zaragoza 2009, "The Probabilistic Relevance Framework: BM25 and Beyond").

    An item's document is its title and categories; the query is the words of the last items of the history,
    each as often as items have it. score = sum over the query's words of idf * tf / (tf + k1 * (1 - b + b *
    length / mean length)).
    """

    weights: Mapping[str, Mapping[str, float]] = field(repr=False)  # item id -> word -> weight
    last: int = LAST_ITEMS
    name: str = "bm25"

    @classmethod
    def of(cls, domain_data: DomainData) -> Bm25:
        """See `rectune.rankers.base.open_ranker`; reads every item of the domain."""
        documents = {item_id: Counter(words_of(domain_data.text(item_id))) for item_id in domain_data.items}
        return cls(_bm25_weights(documents))

    def score(self, histories: Sequence[Sequence[str]], candidates: Sequence[Sequence[str]]) -> list[Scores]:
        """See `Ranker.score`."""
        return [self._scores(h[-self.last :], c) for h, c in zip(histories, candidates, strict=True)]

    def _scores(self, history: Sequence[str], candidates: Sequence[str]) -> Scores:
        query = Counter(word for item in history for word in self.weights[item])
        return np.array([self._score(query, self.weights[item]) for item in candidates], np.float64)

    @staticmethod
    def _score(query: Mapping[str, int], document: Mapping[str, float]) -> float:
        return sum(weight * query[word] for word, weight in document.items() if word in query)


def _bm25_weights(documents: Mapping[str, Counter[str]]) -> dict[str, dict[str, float]]:
    """The BM25 weight of each word in each document, for a query that has it once."""
    count = len(documents)
    found_in = Counter(word for document in documents.values() for word in document)
    mean = sum(document.total() for document in documents.values()) / max(count, 1) or 1.0
    idf = {word: math.log(1 + (count - n + 0.5) / (n + 0.5)) for word, n in found_in.items()}
    return {
        item_id: {
            word: idf[word] * n / (n + K1 * (1 - B + B * document.total() / mean))
            for word, n in document.items()
        }
        for item_id, document in documents.items()
    }


@dataclass(frozen=True)
class EmbeddingMean:
    """Cosine between a candidate and the mean of the last items of the history.

    A case with an empty history scores zero throughout.
    """

    domain_data: DomainData = field(repr=False)
    last: int = LAST_ITEMS
    name: str = "embedding_mean"

    @classmethod
    def of(cls, domain_data: DomainData) -> EmbeddingMean:
        """See `rectune.rankers.base.open_ranker`."""
        return cls(domain_data)

    def score(self, histories: Sequence[Sequence[str]], candidates: Sequence[Sequence[str]]) -> list[Scores]:
        """See `Ranker.score`."""
        return _by_cosine(self, histories, candidates)

    def pooled(self, cosines: Scores) -> Scores:
        """[history, candidates] cosines -> [candidates]: the mean profile's cosine, up to a factor a case."""
        mean: Scores = cosines.mean(axis=0)
        return mean


@dataclass(frozen=True)
class EmbeddingBest:
    """Cosine between a candidate and the most similar one of the last items of the history."""

    domain_data: DomainData = field(repr=False)
    last: int = LAST_ITEMS
    name: str = "embedding_best"

    @classmethod
    def of(cls, domain_data: DomainData) -> EmbeddingBest:
        """See `rectune.rankers.base.open_ranker`."""
        return cls(domain_data)

    def score(self, histories: Sequence[Sequence[str]], candidates: Sequence[Sequence[str]]) -> list[Scores]:
        """See `Ranker.score`."""
        return _by_cosine(self, histories, candidates)

    def pooled(self, cosines: Scores) -> Scores:
        """[history, candidates] cosines -> [candidates]."""
        best: Scores = cosines.max(axis=0)
        return best


def _by_cosine(
    ranker: EmbeddingMean | EmbeddingBest,
    histories: Sequence[Sequence[str]],
    candidates: Sequence[Sequence[str]],
) -> list[Scores]:
    recent = [history[-ranker.last :] for history in histories]
    data = ranker.domain_data
    data.embed(item for case in (*recent, *candidates) for item in case)
    found: list[Scores] = []
    for history, shown in zip(recent, candidates, strict=True):
        if not history or not shown:
            found.append(np.zeros(len(shown)))
            continue
        cosines = data.vectors(history).astype(np.float64) @ data.vectors(shown).T  # [history, candidates]
        found.append(ranker.pooled(cosines))
    return found


class Hybrid:
    """BM25 and the best match by embedding, each standardised a case, in equal parts."""

    @staticmethod
    def of(domain_data: DomainData) -> Fused:
        """See `rectune.rankers.base.open_ranker`."""
        return Fused("hybrid", EmbeddingBest.of(domain_data), Bm25.of(domain_data), 0.5)


@dataclass(frozen=True)
class ItemKnn:
    """Sum over the last items of the history of their cosine with the candidate, over train users' likes.

    cos(i, j) = users who liked both / sqrt(users of i * users of j) (Sarwar et al. 2001, "Item-based
    collaborative filtering recommendation algorithms", 3.1.1, on likes). No neighbours are cut off. An item
    that nobody liked scores zero.
    """

    likes: TrainLikes = field(repr=False)
    last: int = LAST_ITEMS
    name: str = "item_knn"

    @classmethod
    def of(cls, domain_data: DomainData) -> ItemKnn:
        """See `rectune.rankers.base.open_ranker`."""
        return cls(domain_data.likes)

    def score(self, histories: Sequence[Sequence[str]], candidates: Sequence[Sequence[str]]) -> list[Scores]:
        """See `Ranker.score`."""
        place = self.likes.place
        found: list[Scores] = []
        for history, shown in zip(histories, candidates, strict=True):
            cosines = self._cosines([place[item] for item in history[-self.last :] if item in place])
            found.append(np.array([cosines[place[item]] if item in place else 0.0 for item in shown]))
        return found

    def _cosines(self, history: Sequence[int]) -> Scores:
        """[items] the sum of each item's cosines with those of the history."""
        users_of, items_of = self._matrices
        norms = np.sqrt(np.maximum(self.likes.counts, 1))
        total = np.zeros(len(norms))
        for at in history:
            users = users_of.indices[users_of.indptr[at] : users_of.indptr[at + 1]]
            together = np.bincount(items_of[users].indices, minlength=len(norms))
            total += together / norms[at]
        return total / norms

    @cached_property
    def _matrices(self) -> tuple[csr_array, csr_array]:
        """[items, users] and [users, items]: 1 where a user liked an item."""
        from scipy.sparse import csr_array

        likes = self.likes
        shape = (len(likes.item_ids), int(likes.users.max(initial=-1)) + 1)
        liked = csr_array((np.ones(len(likes.users), np.int32), (likes.items, likes.users)), shape=shape)
        return liked, liked.T.tocsr()
