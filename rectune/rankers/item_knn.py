"""Item-kNN: items that were liked by those who liked what is in the history."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Self

import numpy as np

from rectune.rankers.base import CatalogueRanker, Scores
from rectune.rankers.baselines import LAST_ITEMS
from rectune.rankers.domain_data import DomainData, TrainLikes
from rectune.rankers.saved import SavedRanker, load_saved, save_ranker

if TYPE_CHECKING:
    from scipy.sparse import csr_array


class ItemKnn(CatalogueRanker):
    """Sum over the last items of the history of their cosine with the candidate, over train users' likes.

    cos(i, j) = users who liked both / (sqrt(users of i * users of j) + shrinkage) (Sarwar et al. 2001,
    "Item-based collaborative filtering recommendation algorithms", 3.1.1, on likes; the shrinkage is that of
    Bell and Koren 2007, "Scalable collaborative filtering with jointly derived neighborhood interpolation
    weights": few common users prove little). No neighbours are cut off. An item that nobody liked scores
    zero.

    Args:
        last: items of a history that count, the latest; 0: all.
        shrinkage: in users.
    """

    name = "item_knn"
    grid = ({}, {"last": 0}, {"shrinkage": 10.0}, {"last": 0, "shrinkage": 10.0})

    def __init__(self, last: int = LAST_ITEMS, shrinkage: float = 0.0) -> None:
        self.last, self.shrinkage = last, shrinkage

    def fit(self, data: DomainData) -> Self:
        """Stores the likes of train users."""
        return self._set(data.likes)

    def _set(self, likes: TrainLikes) -> Self:
        self.item_ids, self._likes = tuple(likes.item_ids), likes
        self._norms = np.sqrt(np.maximum(likes.counts, 1))
        self._items_of = likes.matrix  # [users, items]
        self._users_of: csr_array = self._items_of.T.tocsr()  # [items, users]
        return self

    def score_all(self, histories: Sequence[Sequence[str]]) -> Scores:
        """See `Ranker.score_all`."""
        liked = self.counts_in(histories, self.last)
        there = np.unique(liked.indices)
        cosines = (self._users_of[there] @ self._items_of).tocsr()  # [there, items] users who liked both
        rows = np.repeat(there, np.diff(cosines.indptr))
        cosines.data = cosines.data / (self._norms[rows] * self._norms[cosines.indices] + self.shrinkage)
        scores: Scores = (liked[:, there] @ cosines).toarray().astype(np.float64)
        return scores

    def save(self, folder: Path) -> None:
        """See `Ranker.save`."""
        arrays = {"users": self._likes.users, "items": self._likes.items}
        parameters = {"last": self.last, "shrinkage": self.shrinkage}
        save_ranker(folder, SavedRanker(self.name, {"item_id": self.item_ids}, parameters, arrays))

    @classmethod
    def load(cls, folder: Path) -> Self:
        """See `Ranker.load`."""
        saved = load_saved(folder, cls.name)
        likes = TrainLikes(tuple(saved.items["item_id"]), saved.arrays["users"], saved.arrays["items"])
        return cls(**saved.parameters)._set(likes)
