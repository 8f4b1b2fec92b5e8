"""ALS: weighted matrix factorisation by alternating least squares."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

from rectune.core.progress import say
from rectune.core.rng import generator_of
from rectune.rankers.domain_data import DomainData
from rectune.rankers.liked_items import LikedItemsRanker, most_liked, positive
from rectune.rankers.saved import Arrays, SavedRanker, load_saved, save_ranker

if TYPE_CHECKING:
    from scipy.sparse import csr_array

Factors = NDArray[np.float32]

_FEW_LIKES = 300_000
_NOTHING = 0.01  # no vector with a longer coordinate: all scores are about 0


class Als(LikedItemsRanker):
    """Implicit ALS (Hu, Koren and Volinsky 2008, "Collaborative filtering for implicit feedback datasets").

    Users x and items y are vectors that minimise the sum over all pairs of c * (p - x'y)^2 plus
    regularization * (|x|^2 + |y|^2); p is 1 and c is alpha for a like, p is 0 and c is 1 for any other pair
    (alpha is what the paper writes as 1 + alpha). The library `implicit` fits them. A history gets the user
    vector that is best for the items as they are (the paper's equation 4), in numpy.

    A train user's history scores the same as the same of a new user, because both are solved for anew; the
    user vectors of the fit are not kept, and belong to the items of one step before. Items start at random,
    by the seed, the most liked first, and users at zero: so neither the order of the catalogue nor the
    numbers of the users matter, up to rounding.

    Args:
        factors: length of the vectors, at least 1.
        alpha: weight of a like, above 0; 1 weighs likes like all other pairs.
        regularization: above 0. It takes about so much off every singular value of the likes, so few users
            or items need a lower one; progress says where nothing is left.
        iterations: how often users and items are solved for, at least 1.
        seed: of the starting vectors; by default the data's.

    Attributes:
        item_vectors: [covered items, factors].
    """

    name = "als"
    grid = (
        {},
        {"factors": 32},
        {"factors": 128},
        {"alpha": 10.0},
        {"factors": 128, "alpha": 10.0},
        {"regularization": 1.0},
    )

    def __init__(
        self,
        factors: int = 64,
        alpha: float = 1.0,
        regularization: float = 10.0,
        iterations: int = 15,
        seed: int | None = None,
    ) -> None:
        positive(factors=factors, alpha=alpha, regularization=regularization, iterations=iterations)
        self.factors, self.alpha, self.regularization = factors, alpha, regularization
        self.iterations, self._given, self.seed = iterations, seed, seed or 0

    def fit(self, data: DomainData) -> Self:
        """Factorises the likes of train users; takes the seed of the data, unless it was given one."""
        likes = data.likes
        self.seed = data.seed if self._given is None else self._given
        self.item_ids = tuple(likes.item_ids)
        self.covered = most_liked(likes)
        vectors = self._factorised(likes.matrix[:, self.covered])
        if vectors.size and np.abs(vectors).max() < _NOTHING:
            given = f"regularization {self.regularization:g}"
            say(f"  als: {given} leaves next to nothing of so few likes; give a lower one")
        return self._set(vectors)

    def _set(self, items: Factors) -> Self:
        self.item_vectors = items
        self._all_pairs = items.T.astype(np.float64) @ items + self.regularization * np.eye(self.factors)
        return self

    def _factorised(self, liked: csr_array) -> Factors:
        """[liked items, factors] the item vectors for [users, liked items]."""
        users, items = liked.shape
        start = generator_of("als", self.seed).random((items, self.factors), np.float32) * np.float32(0.01)
        if not items:
            return start
        from implicit.cpu.als import AlternatingLeastSquares
        from scipy.sparse import csr_matrix
        from threadpoolctl import threadpool_limits

        with threadpool_limits(1, "blas"):  # each of implicit's threads calls BLAS
            model = AlternatingLeastSquares(
                self.factors,
                self.regularization,
                self.alpha,
                iterations=self.iterations,
                num_threads=_threads(liked.nnz),
            )
            model.item_factors = start
            model.user_factors = np.zeros((users, self.factors), np.float32)
            model.fit(csr_matrix(liked), show_progress=False)
        return np.asarray(model.item_factors, np.float32)

    def user_vectors(self, liked: csr_array) -> NDArray[np.float64]:
        """[histories, factors] the best vectors for histories, [histories, covered items] of 0 or 1."""
        totals = self.alpha * (liked @ self.item_vectors).astype(np.float64)
        if self.alpha == 1.0:
            return np.linalg.solve(self._all_pairs, totals.T).T
        pairs = np.tile(self._all_pairs, (liked.shape[0], 1, 1))
        for row, matrix in enumerate(pairs):
            own = self.item_vectors[liked.indices[liked.indptr[row] : liked.indptr[row + 1]]]
            matrix += (self.alpha - 1.0) * (own.T @ own)
        return np.linalg.solve(pairs, totals[:, :, None])[:, :, 0]

    def scores_of(self, liked: csr_array) -> NDArray[np.float32]:
        """See `LikedItemsRanker.scores_of`."""
        return self.user_vectors(liked).astype(np.float32) @ self.item_vectors.T

    def _parameters(self) -> dict[str, Any]:
        names = ("factors", "alpha", "regularization", "iterations", "seed")
        return {name: getattr(self, name) for name in names}

    def save(self, folder: Path) -> None:
        """See `Ranker.save`."""
        arrays: Arrays = {"items": self.item_vectors, "covered": self.covered}
        save_ranker(folder, SavedRanker(self.name, {"item_id": self.item_ids}, self._parameters(), arrays))

    @classmethod
    def load(cls, folder: Path) -> Self:
        """See `Ranker.load`."""
        saved = load_saved(folder, cls.name)
        ranker = cls(**saved.parameters)
        ranker.item_ids, ranker.covered = tuple(saved.items["item_id"]), saved.arrays["covered"]
        return ranker._set(saved.arrays["items"])


def _threads(likes: int) -> int:
    """One for few likes, where waiting for each other takes longer; else the processors that we may use."""
    if likes < _FEW_LIKES:
        return 1
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
