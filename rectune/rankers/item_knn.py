"""Item-kNN: items that were liked by those who liked what is in the history."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Self

import numpy as np
from numpy.typing import NDArray

from rectune.rankers.base import Ranker, Scores
from rectune.rankers.baselines import LAST_ITEMS
from rectune.rankers.domain_data import DomainData, TrainLikes
from rectune.rankers.saved import SavedRanker, load_saved, save_ranker

if TYPE_CHECKING:
    from scipy.sparse import csr_array


class ItemKnn(Ranker):
    """Sum over the last items of the history of their cosine with the candidate, over train users' likes.

    cos(i, j) = users who liked both / sqrt(users of i * users of j) (Sarwar et al. 2001, "Item-based
    collaborative filtering recommendation algorithms", 3.1.1, on likes). No neighbours are cut off. An item
    that nobody liked scores zero.
    """

    name = "item_knn"

    def __init__(self, last: int = LAST_ITEMS) -> None:
        self.last = last

    def fit(self, data: DomainData) -> Self:
        """Stores the likes of train users."""
        return self._set(data.likes)

    def _set(self, likes: TrainLikes) -> Self:
        from scipy.sparse import csr_array

        self.item_ids, self._likes = tuple(likes.item_ids), likes
        self._norms = np.sqrt(np.maximum(likes.counts, 1))
        shape = (len(likes.item_ids), int(likes.users.max(initial=-1)) + 1)
        ones = np.ones(len(likes.users), np.int32)
        self._users_of: csr_array = csr_array(
            (ones, (likes.items, likes.users)), shape=shape
        )  # [items, users]
        self._items_of: csr_array = self._users_of.T.tocsr()  # [users, items]
        return self

    def score(self, histories: Sequence[Sequence[str]], candidates: Sequence[Sequence[str]]) -> list[Scores]:
        """See `CandidateScorer.score`."""
        place = self._likes.place
        found: list[Scores] = []
        for history, shown in zip(histories, candidates, strict=True):
            cosines = self._cosines([place[item] for item in history[-self.last :] if item in place])
            found.append(np.array([cosines[place[item]] if item in place else 0.0 for item in shown]))
        return found

    def _scores_of(self, history: Sequence[str], places: NDArray[np.int64]) -> Scores:
        known = [self._likes.place[item] for item in history[-self.last :] if item in self._likes.place]
        scores: Scores = self._cosines(known)[places]
        return scores

    def _cosines(self, history: Sequence[int]) -> Scores:
        """[items] the sum of each item's cosines with those of the history."""
        users_of, total = self._users_of, np.zeros(len(self._norms))
        for at in history:
            users = users_of.indices[users_of.indptr[at] : users_of.indptr[at + 1]]
            together = np.bincount(self._items_of[users].indices, minlength=len(total))
            total += together / self._norms[at]
        return total / self._norms

    def save(self, folder: Path) -> None:
        """See `Ranker.save`."""
        arrays = {"users": self._likes.users, "items": self._likes.items}
        save_ranker(folder, SavedRanker(self.name, {"item_id": self.item_ids}, {"last": self.last}, arrays))

    @classmethod
    def load(cls, folder: Path) -> Self:
        """See `Ranker.load`."""
        saved = load_saved(folder, cls.name)
        likes = TrainLikes(tuple(saved.items["item_id"]), saved.arrays["users"], saved.arrays["items"])
        return cls(int(saved.parameters["last"]))._set(likes)
