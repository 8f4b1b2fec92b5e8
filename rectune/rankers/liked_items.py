"""What the rankers share that learn a model of the items that somebody liked."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from rectune.core.errors import UserError
from rectune.rankers.base import CatalogueRanker, Scores
from rectune.rankers.domain_data import TrainLikes

if TYPE_CHECKING:
    from scipy.sparse import csr_array

_AT_ONCE = 64  # histories that are scored together, so that memory is bounded


class LikedItemsRanker(CatalogueRanker):
    """A ranker that models liked items; all others score zero, and so do all items for an empty history.

    An item that is twice in a history counts once.

    Attributes:
        covered: [covered items] places in `item_ids` of the items that are modelled, the most liked first, of
            equally liked ones by id. The model does not depend on the order of the catalogue.
    """

    covered: NDArray[np.int64]

    def score_all(self, histories: Sequence[Sequence[str]]) -> Scores:
        """See `Ranker.score_all`."""
        found = np.zeros((len(histories), len(self.item_ids)))
        for start in range(0, len(histories) if len(self.covered) else 0, _AT_ONCE):
            some = slice(start, start + _AT_ONCE)
            liked = self.counts_in(histories[some])[:, self.covered]
            liked.data[:] = 1.0
            found[some, self.covered] = self.scores_of(liked)
        return found

    @abstractmethod
    def scores_of(self, liked: csr_array) -> NDArray[np.floating]:
        """[histories, covered items] scores for histories given as 0 or 1 in [histories, covered items]."""


def most_liked(likes: TrainLikes, limit: int | None = None) -> NDArray[np.int64]:
    """[at most `limit`] places of the items that somebody liked: the most liked first, equal ones by id."""
    liked = np.flatnonzero(likes.counts).tolist()
    counts = likes.counts.tolist()
    liked.sort(key=lambda place: (-counts[place], likes.item_ids[place]))
    return np.array(liked[:limit], np.int64)


def positive(**values: float) -> None:
    """Refuse arguments of a constructor that are not above 0.

    Raises:
        UserError: one is 0, below, or no number.
    """
    for name, value in values.items():
        if not 0 < value < float("inf"):
            raise UserError(f"{name} is {value}", hint="give a finite number above 0")


def one_of(allowed: Sequence[str], **values: str) -> None:
    """Refuse arguments of a constructor that are none of the words that it knows.

    Raises:
        UserError: one is another.
    """
    for name, value in values.items():
        if value not in allowed:
            raise UserError(f"{name} is {value!r}", hint=f"give one of: {', '.join(allowed)}")
