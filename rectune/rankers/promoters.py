"""The sets of users who promoted each item, and how alike two such sets are."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from rectune.rankers.domain_data import TrainLikes

if TYPE_CHECKING:
    from scipy.sparse import csr_array


class Promoters:
    """The users who promoted each item: those who gave it 9 or 10 of 10, or, in a domain of likes, liked it.

    Args:
        likes: of train users. With `data.positive_threshold: {anime: 9}` they are the ratings of 9 and 10.
    """

    def __init__(self, likes: TrainLikes) -> None:
        self.likes = likes

    def common(self, places: NDArray[np.int64]) -> NDArray[np.float32]:
        """[places, items] how many users promoted both items."""
        found: NDArray[np.float32] = (self._users_of[places] @ self.likes.matrix).toarray()
        return found

    def jaccard(self, places: NDArray[np.int64]) -> NDArray[np.float32]:
        """[places, items] |A and B| / |A or B| of the promoters of two items (Jaccard 1912), 0 to 1.

        It is the share who agree, promoting both, against those who disagree, promoting only one; an item
        that nobody promoted is like none.
        """
        common = self.common(places)
        counts = self.likes.counts.astype(np.float32)
        either = counts[places][:, None] + counts - common
        found: NDArray[np.float32] = common / np.maximum(either, np.float32(1))
        return found

    @cached_property
    def _users_of(self) -> csr_array:
        """[items, users]."""
        return self.likes.matrix.T.tocsr()
