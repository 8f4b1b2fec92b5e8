"""Ranks of `bench.scoring_study`: scored each way, alone and fused, under weights chosen on other users."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from bench.scoring_variants import ScoredTitles, Variant
from rectune.core.stats.metrics import UserBootstrap, reciprocal_ranks
from rectune.rankers.base import Scores
from rectune.rankers.eval_cases import EvalCase
from rectune.rankers.fusion import STEPS
from rectune.rankers.weighting import standardised

Ranks = NDArray[np.int64]  # [tests] the target's rank
Chosen = Literal["first", "together"]

FOLDS = 5
_ROUNDS, _SEED = 5000, 7


@dataclass(frozen=True)
class Ranked:
    """Ranks of the tests, and the weights that they were ranked under; None where there is none to choose."""

    ranks: Ranks
    less: float | None = None
    weight: float | None = None


class Evaluation:
    """The cases of a study, and all that their candidates are scored by.

    Args:
        tuning, tests: cases that weights are chosen on, and those whose ranks are given.
        titles: by case id.
        beside: ranker -> case id -> scores.
    """

    def __init__(
        self,
        tuning: Sequence[EvalCase],
        tests: Sequence[EvalCase],
        titles: Mapping[str, ScoredTitles],
        beside: Mapping[str, Mapping[str, Scores]],
    ) -> None:
        self._cases, self._titles, self._beside = [*tuning, *tests], titles, beside
        self._targets = np.array([t.case.candidates.index(t.case.target) for t in self._cases])
        self._test = np.arange(len(self._cases)) >= len(tuning)
        self._other = lru_cache(None)(self._other_scores)
        self._own = lru_cache(None)(self._own_scores)
        self._under = lru_cache(None)(self._ranks_under)
        self.tests = tests
        self.resampled = UserBootstrap([f"{t.case.domain} {t.case.user}" for t in tests], _ROUNDS, _SEED)

    def plain(self, name: str) -> Ranked:
        """A ranker by itself."""
        return Ranked(self._ranks(self._other(name))[self._test])

    def alone(self, variant: Variant) -> Ranked:
        """A variant by itself."""
        less = self._less(variant, ~self._test)
        return Ranked(self._under(variant, "", less, 1.0)[self._test], less if variant.less else None)

    def fused(self, variant: Variant, name: str, chosen: Chosen = "first") -> Ranked:
        """A variant beside a ranker, weights chosen on the cases for tuning.

        `chosen` says whether the weight of what is subtracted is chosen first, by the variant alone (as
        `choose_weights` does it), or together with that of the fusion.
        """
        less, weight = self._weights(variant, name, chosen, ~self._test)
        ranks = self._under(variant, name, less, weight)[self._test]
        return Ranked(ranks, less if variant.less else None, weight)

    def cross_fitted(self, variant: Variant, name: str, chosen: Chosen = "first") -> Ranked:
        """The same, the weights of each fifth of the tests chosen on all other cases."""
        folds = np.where(self._test, np.cumsum(self._test) % FOLDS, -1)
        ranks = np.zeros(len(self._cases), np.int64)
        for fold in range(FOLDS):
            weights = self._weights(variant, name, chosen, folds != fold)
            ranks[folds == fold] = self._under(variant, name, *weights)[folds == fold]
        return Ranked(ranks[self._test])

    def _weights(
        self, variant: Variant, name: str, chosen: Chosen, among: NDArray[np.bool_]
    ) -> tuple[float, float]:
        if chosen == "first" or not variant.less:
            less = self._less(variant, among)
            return less, self._best({w: self._under(variant, name, less, w) for w in STEPS}, among)
        pairs = {(a, w): self._under(variant, name, a, w) for a in STEPS for w in STEPS}
        gains = {pair: float(reciprocal_ranks(ranks[among]).mean()) for pair, ranks in pairs.items()}
        top = max(gains.values())
        equal = [pair for pair in pairs if gains[pair] >= top - 1e-12]
        return min(equal, key=lambda pair: abs(pair[0] - 0.5) + abs(pair[1] - 0.5))

    def _less(self, variant: Variant, among: NDArray[np.bool_]) -> float:
        if not variant.less:
            return 0.0
        return self._best({w: self._under(variant, "", w, 1.0) for w in STEPS}, among)

    def _best(self, ranks: Mapping[float, Ranks], among: NDArray[np.bool_]) -> float:
        """As `rectune.rankers.fusion.best_weight`."""
        gains = {weight: float(reciprocal_ranks(each[among]).mean()) for weight, each in ranks.items()}
        top = max(gains.values())
        return min((w for w in ranks if gains[w] >= top - 1e-12), key=lambda weight: abs(weight - 0.5))

    def _ranks_under(self, variant: Variant, name: str, less: float, weight: float) -> Ranks:
        own, subtracted = self._own(variant)
        scores = own - less * subtracted
        if not name:
            return self._ranks(scores)
        one, other = (np.stack([standardised(row) for row in each]) for each in (scores, self._other(name)))
        return self._ranks(weight * one + (1 - weight) * other)

    def _ranks(self, scores: Scores) -> Ranks:
        own = np.take_along_axis(scores, self._targets[:, None], axis=1)
        return np.asarray((~(scores < own)).sum(axis=1), np.int64)

    def _own_scores(self, variant: Variant) -> tuple[Scores, Scores]:
        rows = [self._titles[test.case.id] for test in self._cases]
        return np.stack([variant.own(row) for row in rows]), np.stack(
            [variant.subtracted(row) for row in rows]
        )

    def _other_scores(self, name: str) -> Scores:
        return np.stack([self._beside[name][test.case.id] for test in self._cases])
