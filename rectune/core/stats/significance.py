"""Significance tests of two systems on the same cases."""

from __future__ import annotations

import math
from collections.abc import Sequence

from rectune.core.figures.evaluation import Difference
from rectune.core.stats.metrics import UserBootstrap, hit_at, reciprocal_ranks


def mcnemar(lost: int, won: int) -> float:
    """The exact two-sided p-value of McNemar's test (McNemar 1947; binomial, so that it holds for few cases).

    Args:
        lost: cases that only the first system got right.
        won: cases that only the second got right.
    """
    n = lost + won
    tail = sum(math.comb(n, k) for k in range(min(lost, won) + 1))
    return min(1.0, float(2 * tail / 2**n))


def holm(ps: Sequence[float]) -> list[float]:
    """p-values with Holm's correction (1979): each times the number of those not smaller, made monotone."""
    order = sorted(range(len(ps)), key=lambda at: ps[at])
    corrected, highest = [0.0] * len(ps), 0.0
    for place, at in enumerate(order):
        highest = max(highest, min(1.0, (len(ps) - place) * ps[at]))
        corrected[at] = highest
    return corrected


def difference(one: Sequence[int], other: Sequence[int], resampled: UserBootstrap) -> Difference:
    """How `other` does beside `one`, given the ranks of the same cases: other less one."""
    hits = hit_at(other, 1) - hit_at(one, 1)
    gains = reciprocal_ranks(other) - reciprocal_ranks(one)
    won, lost = int((hits > 0).sum()), int((hits < 0).sum())
    return Difference(
        n=len(hits),
        difference=float(hits.mean()),
        interval=resampled.interval(hits),
        won=won,
        lost=lost,
        p=mcnemar(lost, won),
        mrr_difference=float(gains.mean()),
        mrr_interval=resampled.interval(gains),
    )
