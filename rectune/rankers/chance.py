"""Chance as a ranker."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from rectune.core.types import content_id
from rectune.rankers.base import Scores
from rectune.rankers.domain_data import DomainData


@dataclass(frozen=True)
class Random:
    """Uniform scores, which follow from seed, history and candidates alone, not from the cases around."""

    seed: int = 0
    name: str = "random"

    @classmethod
    def of(cls, domain_data: DomainData) -> Random:
        """See `rectune.rankers.base.open_ranker`."""
        return cls(domain_data.seed)

    def score(self, histories: Sequence[Sequence[str]], candidates: Sequence[Sequence[str]]) -> list[Scores]:
        """See `Ranker.score`."""
        return [self._scores(h, c) for h, c in zip(histories, candidates, strict=True)]

    def _scores(self, history: Sequence[str], candidates: Sequence[str]) -> Scores:
        seed = int(content_id("random", self.seed, list(history), list(candidates)), 16)
        return np.random.default_rng(seed).random(len(candidates))
