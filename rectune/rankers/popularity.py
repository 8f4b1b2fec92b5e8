"""How many liked it, whoever asks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from rectune.rankers.base import Scores
from rectune.rankers.domain_data import DomainData


@dataclass(frozen=True)
class Popularity:
    """How many train users liked the item; the history is not looked at."""

    counts: Mapping[str, int]
    name: str = "popularity"

    @classmethod
    def of(cls, domain_data: DomainData) -> Popularity:
        """See `rectune.rankers.base.open_ranker`."""
        likes = domain_data.likes
        return cls(dict(zip(likes.item_ids, likes.counts.tolist(), strict=True)))

    def score(self, histories: Sequence[Sequence[str]], candidates: Sequence[Sequence[str]]) -> list[Scores]:
        """See `Ranker.score`."""
        return [
            np.array([self.counts.get(item, 0) for item in case], np.float64)
            for _, case in zip(histories, candidates, strict=True)
        ]
