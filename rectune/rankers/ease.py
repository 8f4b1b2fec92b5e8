"""EASE: a linear model of items by items in closed form."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Self

import numpy as np
from numpy.typing import NDArray

from rectune.core.errors import UserError
from rectune.core.progress import say
from rectune.rankers.domain_data import DomainData, TrainLikes
from rectune.rankers.liked_items import LikedItemsRanker, most_liked, positive
from rectune.rankers.saved import Arrays, SavedRanker, load_saved, save_ranker

if TYPE_CHECKING:
    from scipy.sparse import csr_array

Matrix = NDArray[np.float32]

MAX_BYTES = 4 * 2**30
_WORK_BYTES = 64 * 2**20  # of the columns that are multiplied at a time


class Ease(LikedItemsRanker):
    """Embarrassingly shallow autoencoder (Steck 2019, "Embarrassingly Shallow Autoencoders for Sparse Data").

    With X [users, items] the likes and P the inverse of X'X + regularisation * I, the weights are B(i, j) =
    -P(i, j) / P(j, j) and B(j, j) = 0: the linear regression of every item on all others. A
    history x scores x B. A train user's history and the same of a new user score the same, since nothing is
    learnt of users.

    B has 4 bytes for each pair of items, in memory and on disk; it is computed in place, and fitting needs
    the likes and some 100 MiB besides. Loading maps it into memory and reads only what is asked for. Where
    all liked items would need more than the cap, the most liked ones are taken, the others score zero, and
    progress says so.

    Args:
        regularisation: in likes, above 0. Fewer likes need more of it, relative to their number.
        max_bytes: cap of B; by default 4 GiB, but at most half of the memory that is available here.

    Attributes:
        coverage: the share of the liked items that B has; 1.0 where nothing was liked.
    """

    name = "ease"
    grid = ({}, {"regularisation": 100.0}, {"regularisation": 1000.0})

    def __init__(self, regularisation: float = 300.0, max_bytes: int | None = None) -> None:
        positive(regularisation=regularisation)
        self.regularisation, self.max_bytes = regularisation, max_bytes
        self.coverage = 1.0

    def fit(self, data: DomainData) -> Self:
        """Inverts the matrix of items that were liked by the same users.

        Raises:
            UserError: it cannot be inverted in single precision.
        """
        likes = data.likes
        self.item_ids = tuple(likes.item_ids)
        self.covered = most_liked(likes, self._most_items())
        liked = int(np.count_nonzero(likes.counts))
        self.coverage = len(self.covered) / liked if liked else 1.0
        if len(self.covered) < liked:
            self._say_what_is_covered(liked)
        self._weights = _weights(likes, self.covered, self.regularisation)
        return self

    def _most_items(self) -> int:
        return math.isqrt((_default_cap() if self.max_bytes is None else self.max_bytes) // 4)

    def _say_what_is_covered(self, liked: int) -> None:
        why = "the memory available here" if self.max_bytes is None else "max_bytes"
        say(
            f"  ease: the {len(self.covered):,} most liked of {liked:,} liked items, by {why}; the others "
            f"score 0. All would need {4 * liked**2 / 2**30:.1f} GiB"
        )

    def scores_of(self, liked: csr_array) -> Matrix:
        """See `LikedItemsRanker.scores_of`."""
        found: Matrix = liked @ self._weights
        return found

    def save(self, folder: Path) -> None:
        """See `Ranker.save`; B has 4 bytes for each pair of items."""
        parameters = {
            "regularisation": self.regularisation, "max_bytes": self.max_bytes, "coverage": self.coverage
        }  # fmt: skip
        arrays: Arrays = {"weights": self._weights, "covered": self.covered}
        save_ranker(folder, SavedRanker(self.name, {"item_id": self.item_ids}, parameters, arrays))

    @classmethod
    def load(cls, folder: Path) -> Self:
        """See `Ranker.load`."""
        saved = load_saved(folder, cls.name, mapped=True)
        ranker = cls(saved.parameters["regularisation"], saved.parameters["max_bytes"])
        ranker.coverage = saved.parameters["coverage"]
        ranker.item_ids = tuple(saved.items["item_id"])
        ranker._weights, ranker.covered = saved.arrays["weights"], np.array(saved.arrays["covered"])
        return ranker


def _default_cap() -> int:
    import psutil

    return min(MAX_BYTES, int(psutil.virtual_memory().available) // 2)


def _weights(likes: TrainLikes, covered: NDArray[np.int64], regularisation: float) -> Matrix:
    """[covered, covered] B."""
    from scipy.linalg import lapack

    if not len(covered):
        return np.zeros((0, 0), np.float32)
    gram = _gram(likes.matrix[:, covered])
    gram[np.diag_indices_from(gram)] += np.float32(regularisation)
    factor, failed = lapack.spotrf(gram, lower=1, clean=0, overwrite_a=1)
    if not failed:
        inverse, failed = lapack.spotri(factor, lower=1, overwrite_c=1)
    if failed:
        raise UserError("EASE cannot be solved in single precision", hint="give a larger regularisation")
    weights: Matrix = inverse.T  # the same memory by rows, of which the upper triangle is filled
    _mirror(weights)
    weights /= -weights.diagonal()[None, :].copy()
    np.fill_diagonal(weights, 0.0)
    return weights


def _gram(liked: csr_array) -> Matrix:
    """[items, items] X'X in Fortran order; only the diagonal and what is below it is filled in.

    Items that are liked most should come first: some columns at a time are multiplied with those that follow,
    and only for users who have them, so that the many pairs of rare items cost little.
    """
    users, items = liked.shape
    width = int(np.clip(_WORK_BYTES // (4 * max(users, items)), 1, 256))
    gram = np.zeros((items, items), np.float32, order="F")
    for start in range(0, items, width):
        columns = liked[:, :width].tocsr()
        active = np.flatnonzero(np.diff(columns.indptr))
        gram[start:, start : start + width] = liked[active].T @ columns[active].toarray()
        liked = liked[:, width:].tocsr()
    return gram


def _mirror(matrix: Matrix) -> None:
    """Copy what is above the diagonal of a square matrix below it, in place, a block at a time."""
    size = 1024
    for start in range(0, len(matrix), size):
        own = matrix[start : start + size, start : start + size]
        own[:] = np.triu(own) + np.triu(own, 1).T
        for other in range(start + size, len(matrix), size):
            block = matrix[start : start + size, other : other + size]
            matrix[other : other + size, start : start + size] = block.T
