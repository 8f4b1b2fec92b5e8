"""Sentence embeddings of title and categories: what is like the history."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from rectune.rankers.base import Scores
from rectune.rankers.domain_data import DomainData

LAST = 10  # items of a history that are looked at


@dataclass(frozen=True)
class EmbeddingMean:
    """Cosine between a candidate and the mean of the last items of the history.

    A case with an empty history scores zero throughout.
    """

    domain_data: DomainData = field(repr=False)
    last: int = LAST
    name: str = "embedding_mean"

    @classmethod
    def of(cls, domain_data: DomainData) -> EmbeddingMean:
        """See `rectune.rankers.base.open_ranker`."""
        return cls(domain_data)

    def score(self, histories: Sequence[Sequence[str]], candidates: Sequence[Sequence[str]]) -> list[Scores]:
        """See `Ranker.score`."""
        return _rank(self, histories, candidates)

    def scores(self, similarities: Scores) -> Scores:
        """[history, candidates] cosines -> [candidates]: the mean profile's cosine, up to a factor a case."""
        mean: Scores = similarities.mean(axis=0)
        return mean


@dataclass(frozen=True)
class EmbeddingBest:
    """Cosine between a candidate and the most similar one of the last items of the history."""

    domain_data: DomainData = field(repr=False)
    last: int = LAST
    name: str = "embedding_best"

    @classmethod
    def of(cls, domain_data: DomainData) -> EmbeddingBest:
        """See `rectune.rankers.base.open_ranker`."""
        return cls(domain_data)

    def score(self, histories: Sequence[Sequence[str]], candidates: Sequence[Sequence[str]]) -> list[Scores]:
        """See `Ranker.score`."""
        return _rank(self, histories, candidates)

    def scores(self, similarities: Scores) -> Scores:
        """[history, candidates] cosines -> [candidates]."""
        best: Scores = similarities.max(axis=0)
        return best


def _rank(
    ranker: EmbeddingMean | EmbeddingBest,
    histories: Sequence[Sequence[str]],
    candidates: Sequence[Sequence[str]],
) -> list[Scores]:
    recent = [history[-ranker.last :] for history in histories]
    domain_data = ranker.domain_data
    domain_data.embed(item for case in (*recent, *candidates) for item in case)
    found: list[Scores] = []
    for history, shown in zip(recent, candidates, strict=True):
        if not history or not shown:
            found.append(np.zeros(len(shown)))
            continue
        similarities = domain_data.vectors(history).astype(np.float64) @ domain_data.vectors(shown).T  # [h, c]
        found.append(ranker.scores(similarities))
    return found
