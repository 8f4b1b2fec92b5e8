"""Popularity: how many train users liked an item, ever or lately."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from rectune.core.errors import UserError
from rectune.rankers.base import CatalogueRanker, Scores
from rectune.rankers.domain_data import DomainData, TrainLikes
from rectune.rankers.saved import SavedRanker, load_saved, save_ranker


class Popularity(CatalogueRanker):
    """The number of train users who liked the item; the history is ignored."""

    name = "popularity"

    def fit(self, data: DomainData) -> Self:
        """Counts the likes of the train users."""
        return self._set(data.likes.item_ids, data.likes.counts)

    def _set(self, item_ids: Sequence[str], counts: NDArray[np.int64]) -> Self:
        self.item_ids, self._counts = tuple(item_ids), counts
        return self

    def score_all(self, histories: Sequence[Sequence[str]]) -> Scores:
        """See `Ranker.score_all`."""
        return np.tile(self._counts.astype(np.float64), (len(histories), 1))

    def _parameters(self) -> dict[str, Any]:
        return {}

    def save(self, folder: Path) -> None:
        """See `Ranker.save`."""
        arrays = {"counts": self._counts}
        save_ranker(folder, SavedRanker(self.name, {"item_id": self.item_ids}, self._parameters(), arrays))

    @classmethod
    def load(cls, folder: Path) -> Self:
        """See `Ranker.load`."""
        saved = load_saved(folder, cls.name)
        return cls()._set(saved.items["item_id"], saved.arrays["counts"])


class RecentPopularity(Popularity):
    """The number of train users who liked the item lately; the history is ignored.

    Lately is the latest `share` of the domain's likes by time; likes of the same moment as the first of these
    count too. Where likes have no times it is the same as `Popularity`, and `timed` is False.

    Args:
        share: above 0, at most 1.

    Attributes:
        timed: whether the likes that it was fitted on have times; True where there are none.

    Raises:
        UserError: the share is out of range.
    """

    name = "recent_popularity"
    grid = ({}, {"share": 0.05}, {"share": 0.25})

    def __init__(self, share: float = 0.1) -> None:
        if not 0 < share <= 1:
            raise UserError(f"share is {share}", hint="give a share above 0, at most 1")
        self.share, self.timed = share, True

    def fit(self, data: DomainData) -> Self:
        """Counts the latest likes of the train users."""
        likes = data.likes
        self.timed = likes.times is not None or not len(likes.items)
        return self._set(likes.item_ids, _latest_counts(likes, self.share))

    def _parameters(self) -> dict[str, Any]:
        return {"share": self.share, "timed": self.timed}

    @classmethod
    def load(cls, folder: Path) -> Self:
        """See `Ranker.load`."""
        saved = load_saved(folder, cls.name)
        ranker = cls(saved.parameters["share"])
        ranker.timed = saved.parameters["timed"]
        return ranker._set(saved.items["item_id"], saved.arrays["counts"])


def _latest_counts(likes: TrainLikes, share: float) -> NDArray[np.int64]:
    """[len(item_ids)] likes by item among the latest share of all; all of them where no times are known."""
    if likes.times is None or not len(likes.times):
        return likes.counts
    first = len(likes.times) - math.ceil(share * len(likes.times))
    lately = likes.times >= np.partition(likes.times, first)[first]
    return np.bincount(likes.items[lately], minlength=len(likes.item_ids))
