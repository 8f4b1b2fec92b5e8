"""Item-kNN: items that were liked by those who liked what is in the history."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Self

import numpy as np
from numpy.typing import NDArray

from rectune.rankers.base import CatalogueRanker, Scores
from rectune.rankers.baselines import LAST_ITEMS
from rectune.rankers.domain_data import DomainData, TrainLikes
from rectune.rankers.saved import SavedRanker, load_saved, save_ranker

if TYPE_CHECKING:
    from scipy.sparse import csr_array

_AT_ONCE = 64  # histories, or items of them, that are multiplied together


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
        scores = np.zeros((len(histories), len(self.item_ids)))
        for start in range(0, len(histories), _AT_ONCE):
            liked = self.counts_in(histories[start : start + _AT_ONCE], self.last)
            scores[start : start + _AT_ONCE] = self._shrunk(liked) if self.shrinkage else self._plain(liked)
        return scores

    def _plain(self, liked: csr_array) -> Scores:
        """[histories, items] sums of cosines without shrinkage, where either norm is a factor."""
        weighted = liked.copy()
        weighted.data /= self._norms[liked.indices]
        scores: Scores = self._common(weighted) / self._norms
        return scores

    def _shrunk(self, liked: csr_array) -> Scores:
        """The same with shrinkage: cosines with all items, some items of the histories at a time."""
        from scipy.sparse import csr_array

        scores = np.zeros(liked.shape)
        there = np.unique(liked.indices)
        for start in range(0, len(there), _AT_ONCE):
            some = there[start : start + _AT_ONCE]
            ones = csr_array(
                (np.ones(len(some), np.float32), some, np.arange(len(some) + 1)),
                shape=(len(some), liked.shape[1]),
            )
            cosines = self._common(ones) / (np.outer(self._norms[some], self._norms) + self.shrinkage)
            scores += liked[:, some] @ cosines
        return scores

    def _common(self, liked: csr_array) -> NDArray[np.float32]:
        """[rows, items] sum, over users, of the weights of those of a row's items that they liked.

        For each item in turn that they liked. Memory is that of [rows, users] and [rows, items], in place of
        [items of rows, items].
        """
        weights = (liked @ self._users_of).tocsr()  # [rows, users]
        active = np.flatnonzero(np.bincount(weights.indices, minlength=weights.shape[1]))
        dense = weights[:, active].T.toarray()
        found: NDArray[np.float32] = (self._items_of[active].T @ dense).T
        return found

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
