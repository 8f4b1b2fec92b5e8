"""Hybrid item-kNN: the items nearest to what somebody promoted, by their texts and by who promoted them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

from rectune.core.errors import UserError
from rectune.rankers.base import CatalogueRanker, Scores
from rectune.rankers.domain_data import DomainData, TrainLikes
from rectune.rankers.promoters import Promoters
from rectune.rankers.saved import Arrays, SavedRanker, load_saved, save_ranker
from rectune.rankers.weighting import standardised_rows
from rectune.retrieval.embedding import Vectors, reads

if TYPE_CHECKING:
    from collections.abc import Sequence

    from scipy.sparse import csr_array

_AT_ONCE = 64  # histories, or items of them, that are looked up together

Similarity = Callable[[NDArray[np.int64]], NDArray[np.floating[Any]]]  # places -> [places, items]


class HybridKnn(CatalogueRanker):
    """The neighbours of what a user promoted, by how often they come up and how near they are.

    Every item of the history has its `neighbours` nearest by the cosine of their embeddings (of title,
    categories, facts and description), and its nearest by the Jaccard similarity of their promoters. By
    either measure a candidate scores the sum of its similarities to the items that it is a neighbour of: how
    often it comes up, times how near it is on average. Both sums are standardised over the catalogue and
    weighed. A hybrid of the weighted kind (Burke 2002, "Hybrid recommender systems: survey and experiments")
    of content-based and item-based kNN. An item that nobody promoted is found by its text; what the embedder
    cannot read, by its promoters alone.

    Args:
        neighbours: nearest items of each item of the history, at least 1; equal ones to the last count too.
        jaccard_weight: of the Jaccard part, 0 to 1; the embedding has the rest.
    """

    name = "hybrid_knn"
    learns_from_texts = True
    grid = (
        {},
        {"neighbours": 100},
        {"jaccard_weight": 0.5},
        {"jaccard_weight": 0.9},
        {"jaccard_weight": 1.0},
    )

    def __init__(self, neighbours: int = 20, jaccard_weight: float = 0.7) -> None:
        if neighbours < 1:
            raise UserError(f"neighbours is {neighbours}", hint="give a whole number from 1 on")
        if not 0 <= jaccard_weight <= 1:
            raise UserError(f"jaccard_weight is {jaccard_weight}", hint="give a number from 0 to 1")
        self.neighbours, self.jaccard_weight = neighbours, jaccard_weight

    def fit(self, data: DomainData) -> Self:
        """Embeds the items, where the embedding has a weight, and stores the likes of train users."""
        if self.jaccard_weight == 1:
            return self._set(data.likes, np.zeros((len(data.items), 0), np.float32))
        read = np.array([reads(data.embedder, data.full_text(item)) for item in data.items], np.bool_)
        vectors = data.full_vectors()
        return self._set(data.likes, np.where(read[:, None], vectors, np.float32(0)))

    def _set(self, likes: TrainLikes, vectors: Vectors) -> Self:
        self.item_ids, self._vectors = tuple(likes.item_ids), vectors
        self._promoters = Promoters(likes)
        return self

    def score_all(self, histories: Sequence[Sequence[str]]) -> Scores:
        """See `Ranker.score_all`; an item that is twice in a history counts once."""
        scores = np.zeros((len(histories), len(self.item_ids)))
        parts = ((self._cosine, 1 - self.jaccard_weight), (self._promoters.jaccard, self.jaccard_weight))
        for start in range(0, len(histories), _AT_ONCE):
            promoted = self.counts_in(histories[start : start + _AT_ONCE])
            promoted.data[:] = 1.0
            for similarity, weight in parts:
                if weight:
                    sums = neighbour_sums(promoted, similarity, self.neighbours)
                    scores[start : start + _AT_ONCE] += weight * standardised_rows(sums)
        return scores

    def _cosine(self, places: NDArray[np.int64]) -> NDArray[np.float32]:
        found: NDArray[np.float32] = self._vectors[places] @ self._vectors.T
        return found

    def save(self, folder: Path) -> None:
        """See `Ranker.save`."""
        likes = self._promoters.likes
        arrays: Arrays = {"vectors": self._vectors, "users": likes.users, "items": likes.items}
        parameters = {"neighbours": self.neighbours, "jaccard_weight": self.jaccard_weight}
        save_ranker(folder, SavedRanker(self.name, {"item_id": self.item_ids}, parameters, arrays))

    @classmethod
    def load(cls, folder: Path) -> Self:
        """See `Ranker.load`."""
        saved = load_saved(folder, cls.name)
        likes = TrainLikes(tuple(saved.items["item_id"]), saved.arrays["users"], saved.arrays["items"])
        return cls(**saved.parameters)._set(likes, saved.arrays["vectors"])


def neighbour_sums(promoted: csr_array, similarity: Similarity, neighbours: int) -> Scores:
    """[histories, items] the sum of an item's similarities to those whose neighbour it is.

    Args:
        promoted: [histories, items] 1 where a history has an item.
        similarity: places of items -> [places, items]; what is not above 0 is no neighbour, nor is an item
            its own.
        neighbours: how many nearest items of each item are its neighbours; those as near as the last are too.
    """
    sums = np.zeros(promoted.shape)
    there = np.unique(promoted.indices)
    for start in range(0, len(there), _AT_ONCE):
        some = there[start : start + _AT_ONCE]
        sums += promoted[:, some] @ _nearest(np.array(similarity(some)), some, neighbours)
    return sums


def _nearest(
    near: NDArray[np.floating[Any]], places: NDArray[np.int64], neighbours: int
) -> NDArray[np.floating[Any]]:
    """[places, items] the similarities of neighbours, and 0 for all other items."""
    near[np.arange(len(places)), places] = 0.0
    if neighbours < near.shape[1]:
        cut = near.shape[1] - neighbours
        near[near < np.partition(near, cut, axis=1)[:, cut, None]] = 0.0
    kept: NDArray[np.floating[Any]] = np.maximum(near, 0.0)
    return kept
