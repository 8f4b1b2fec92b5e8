"""BM25: the words that a candidate shares with the history."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from rectune.prompts.titles import fold
from rectune.rankers.base import Scores
from rectune.rankers.domain_data import DomainData
from rectune.rankers.baselines import LAST

K1, B = 1.2, 0.75
_WORD = re.compile(r"\w+")


def words_of(text: str) -> list[str]:
    """The words of a text, case aside."""
    return _WORD.findall(fold(text))


@dataclass(frozen=True)
class Bm25:
    """Okapi BM25 (Robertson and Zaragoza 2009, "The Probabilistic Relevance Framework: BM25 and Beyond").

    An item's document is its title and categories; the query is the words of the last items of the history, each as
    often as items have it. score = sum over the query's words of idf * tf / (tf + k1 * (1 - b + b * length / mean length)).
    """

    weights: Mapping[str, Mapping[str, float]] = field(repr=False)  # item id -> word -> weight
    last: int = LAST
    name: str = "bm25"

    @classmethod
    def of(cls, domain_data: DomainData) -> Bm25:
        """See `rectune.rankers.base.open_ranker`; reads every item of the domain."""
        documents = {item_id: Counter(words_of(domain_data.text(item_id))) for item_id in domain_data.items}
        return cls(_weights(documents))

    def score(self, histories: Sequence[Sequence[str]], candidates: Sequence[Sequence[str]]) -> list[Scores]:
        """See `Ranker.score`."""
        return [self._scores(h[-self.last :], c) for h, c in zip(histories, candidates, strict=True)]

    def _scores(self, history: Sequence[str], candidates: Sequence[str]) -> Scores:
        query = Counter(word for item in history for word in self.weights[item])
        return np.array([self._score(query, self.weights[item]) for item in candidates], np.float64)

    @staticmethod
    def _score(query: Mapping[str, int], document: Mapping[str, float]) -> float:
        return sum(weight * query[word] for word, weight in document.items() if word in query)


def _weights(documents: Mapping[str, Counter[str]]) -> dict[str, dict[str, float]]:
    """What each word of each document adds to a query that has it once."""
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
