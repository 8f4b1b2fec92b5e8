"""PureSVD: the truncated singular value decomposition of the likes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Self

import numpy as np
from numpy.typing import NDArray

from rectune.core.progress import say
from rectune.rankers.domain_data import DomainData
from rectune.rankers.liked_items import LikedItemsRanker, most_liked, positive
from rectune.rankers.saved import Arrays, SavedRanker, load_saved, save_ranker

if TYPE_CHECKING:
    from scipy.sparse import csr_array

_SMALLEST = 4  # the fewest users or items for each factor
_NOTHING = 1e-6  # up to so much of the largest, a singular value is 0
_DENSE = 32  # up to so many users or items the whole decomposition is computed


class Svd(LikedItemsRanker):
    """PureSVD (Cremonesi, Koren and Turrin 2010, "Performance of recommender algorithms on top-n tasks").

    With V [items, factors] the right singular vectors of the likes X [users, items] that belong to the
    largest singular values, a history x scores x V V': what is left of it when it is described by `factors`
    numbers. A train user's history and the same of a new user score the same, since the left singular vectors
    are not needed.

    With about as many factors as items or users, every history describes itself and predicts nothing. So
    there are at most a quarter as many factors as users, or as liked items, and progress says if that lowers
    their number. Where the last value taken and the first left out are equal, the result is one of several.

    Args:
        factors: how many singular vectors, at least 1.
    """

    name = "svd"
    grid = ({}, {"factors": 16}, {"factors": 32}, {"factors": 128})

    def __init__(self, factors: int = 64) -> None:
        positive(factors=factors)
        self.factors = factors

    def fit(self, data: DomainData) -> Self:
        """Decomposes the likes of train users; the result does not depend on chance."""
        likes = data.likes
        self.item_ids = tuple(likes.item_ids)
        self.covered = most_liked(likes)
        self._vectors = right_vectors(likes.matrix[:, self.covered], self.factors)
        if len(self.covered) and (got := self._vectors.shape[1]) < self.factors:
            say(f"  svd: {got} factors in place of {self.factors}, by users, liked items and rank")
        return self

    def scores_of(self, liked: csr_array) -> NDArray[np.float32]:
        """See `LikedItemsRanker.scores_of`."""
        found: NDArray[np.float32] = (liked @ self._vectors) @ self._vectors.T
        return found

    def save(self, folder: Path) -> None:
        """See `Ranker.save`."""
        arrays: Arrays = {"vectors": self._vectors, "covered": self.covered}
        parameters = {"factors": self.factors}
        save_ranker(folder, SavedRanker(self.name, {"item_id": self.item_ids}, parameters, arrays))

    @classmethod
    def load(cls, folder: Path) -> Self:
        """See `Ranker.load`."""
        saved = load_saved(folder, cls.name)
        ranker = cls(saved.parameters["factors"])
        ranker.item_ids = tuple(saved.items["item_id"])
        ranker._vectors, ranker.covered = saved.arrays["vectors"], saved.arrays["covered"]
        return ranker


def right_vectors(liked: csr_array, factors: int) -> NDArray[np.float32]:
    """[items, at most factors] right singular vectors, the largest singular value first."""
    from scipy.sparse.linalg import svds
    from threadpoolctl import threadpool_limits

    smaller = min(liked.shape)
    if not smaller:
        return np.zeros((liked.shape[1], 0), np.float32)
    count = min(factors, max(1, smaller // _SMALLEST))
    if smaller <= _DENSE:
        _, values, rows = np.linalg.svd(liked.toarray().astype(np.float64), full_matrices=False)
    else:
        start = np.random.default_rng(0).standard_normal(smaller)
        with threadpool_limits(1, "blas"):  # its products are small: threads would wait for each other
            _, values, rows = svds(liked.astype(np.float64), count, v0=start, return_singular_vectors="vh")
    order = np.argsort(-values)[:count]
    found = order[values[order] > _NOTHING * values[order[0]]]  # vectors of 0 are arbitrary
    return np.ascontiguousarray(rows[found].T, np.float32)
