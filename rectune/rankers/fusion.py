"""Fusing two rankers, and choosing their weight on cases that no test uses."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Self

import numpy as np
from numpy.typing import NDArray

from rectune.rankers.base import CandidateScorer, CatalogueRanker, Scores
from rectune.rankers.baselines import Bm25, EmbeddingBest
from rectune.rankers.saved import SavedRanker, load_saved, save_ranker
from rectune.rankers.weighting import standardised, standardised_rows
from rectune.retrieval.embedding import reads

if TYPE_CHECKING:
    from rectune.rankers.domain_data import DomainData

STEPS = tuple(step / 10 for step in range(11))  # the weights that are tried


@dataclass(frozen=True)
class Fused:
    """weight * z(first) + (1 - weight) * z(second), where z standardises the scores of each case.

    Standardised scores are the score normalisation of Montague and Aslam 2001, "Relevance score normalization
    for metasearch". A ranker that scores all candidates of a case alike adds nothing to it.
    """

    name: str
    first: CandidateScorer
    second: CandidateScorer
    weight: float

    def score(self, histories: Sequence[Sequence[str]], candidates: Sequence[Sequence[str]]) -> list[Scores]:
        """See `CandidateScorer.score`."""
        pairs = zip(
            self.first.score(histories, candidates), self.second.score(histories, candidates), strict=True
        )
        return [fused(one, other, self.weight) for one, other in pairs]


class Hybrid(CatalogueRanker):
    """BM25 and the best match by embedding, each standardised over the catalogue, in equal parts.

    Where the embedder cannot read a text (the embedded MiniLM knows no Korean) hybrid goes by words alone:
    such items of a history are not looked up by embedding, and such items of the catalogue get nothing from
    it, neither more nor less than the mean.
    """

    name = "hybrid"
    learns_from_likes = False

    def fit(self, data: DomainData) -> Self:
        """Fits both."""
        read = np.array([reads(data.embedder, data.text(item)) for item in data.items], np.bool_)
        return self._set(EmbeddingBest().fit(data), Bm25().fit(data), data.embedder, read)

    def _set(self, meaning: EmbeddingBest, words: Bm25, embedder: str, read: NDArray[np.bool_]) -> Self:
        self._meaning, self._words, self.item_ids = meaning, words, words.item_ids
        self._embedder, self._read = embedder, read
        return self

    def score_all(self, histories: Sequence[Sequence[str]]) -> Scores:
        """See `Ranker.score_all`."""
        words = self._words.score_all(histories)
        if not self._read.any():
            return _in_equal_parts(np.zeros_like(words), words)
        read = [
            [item for item in history if item in self.place and self._read[self.place[item]]]
            for history in histories
        ]
        return _in_equal_parts(self._standardised(self._meaning.score_all(read)), words)

    def vectors(self) -> Scores | None:
        """[items, d] the embeddings of title and categories, rows of 0 for what the embedder cannot read.

        None where it cannot read half of the items.
        """
        if 2 * np.count_nonzero(self._read) < len(self._read):
            return None
        found: Scores = np.where(self._read[:, None], self._meaning.vectors(), 0.0)
        return found

    def score_texts(self, texts: Sequence[str]) -> Scores:
        """[len(texts), len(item_ids)] the same for words that say what is wanted."""
        words = self._words.score_texts(texts)
        meaning = np.zeros_like(words)
        asked = [at for at, text in enumerate(texts) if reads(self._embedder, text)]
        if asked and self._read.any():
            meaning[asked] = self._standardised(self._meaning.score_texts([texts[at] for at in asked]))
        return _in_equal_parts(meaning, words)

    def _standardised(self, scores: Scores) -> Scores:
        """Over the items that the embedder can read; 0 for the others."""
        found = np.zeros_like(scores)
        found[:, self._read] = standardised_rows(scores[:, self._read])
        return found

    def save(self, folder: Path) -> None:
        """See `Ranker.save`; a folder within for each of the two."""
        self._meaning.save(folder / self._meaning.name)
        self._words.save(folder / self._words.name)
        arrays = {"read": self._read.astype(np.uint8)}
        parameters = {"embedder": self._embedder}
        save_ranker(folder, SavedRanker(self.name, {"item_id": self.item_ids}, parameters, arrays))

    @classmethod
    def load(cls, folder: Path) -> Self:
        """See `Ranker.load`."""
        saved = load_saved(folder, cls.name)
        words = Bm25.load(folder / Bm25.name)  # an older hybrid ends here
        meaning = EmbeddingBest.load(folder / EmbeddingBest.name)
        return cls()._set(
            meaning, words, str(saved.parameters["embedder"]), saved.arrays["read"].astype(np.bool_)
        )


def _in_equal_parts(standard: Scores, other: Scores) -> Scores:
    """The mean of scores that are standardised, and of others that are not yet."""
    result: Scores = (standard + standardised_rows(other)) / 2
    return result


def fused(one: Scores, other: Scores, weight: float) -> Scores:
    """See `Fused`."""
    return weight * standardised(one) + (1 - weight) * standardised(other)


def best_weight(ranked: Callable[[float], Sequence[Scores]], targets: Sequence[int], default: float) -> float:
    """The weight under which the targets of some cases have the highest mean reciprocal rank.

    Args:
        ranked: weight -> the scores of each case.
        targets: the place of each case's target among its candidates.
        default: the weight without any cases; of equally good weights the nearest to it is chosen.
    """
    if not targets:
        return default
    gains = {weight: mean_reciprocal(ranked(weight), targets) for weight in STEPS}
    top = max(gains.values())
    return min((w for w in STEPS if gains[w] >= top - 1e-12), key=lambda weight: abs(weight - default))


def mean_reciprocal(scores: Sequence[Scores], targets: Sequence[int]) -> float:
    """Mean of 1/rank of the targets; a target loses ties."""
    ranks = [np.count_nonzero(~(row < row[at])) for row, at in zip(scores, targets, strict=True)]
    return float(np.mean([1 / rank for rank in ranks]))
