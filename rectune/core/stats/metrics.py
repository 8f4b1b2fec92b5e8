"""Ranking metrics with one relevant item a case, and their intervals.

A case's rank is 1 if the target is first. Ties count against the system: the target ranks behind everything
that scores as high as it, so that a constant score is the worst ranking.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

_AT_ONCE = 500  # rounds of the bootstrap that are drawn together


def target_rank(items: Sequence[str], scores: Sequence[float], target: str) -> int:
    """The target's rank, from 1 to len(items); it loses ties, and a NaN score ranks last.

    Raises:
        ValueError: the target is not among the items.
    """
    if target not in items:
        raise ValueError(f"the target {target!r} is not among the items ranked")
    place = items.index(target)
    plain = np.asarray(scores, np.float64)
    return int(np.count_nonzero(~(plain < plain[place])))


def hit_at(ranks: ArrayLike, k: int) -> NDArray[np.float64]:
    """1 for each rank up to k, else 0, in the ranks' shape; their mean is Hit@k."""
    return (np.asarray(ranks) <= k).astype(np.float64)


def reciprocal_ranks(ranks: ArrayLike) -> NDArray[np.float64]:
    """1/rank of each; their mean is MRR (Voorhees 1999, "The TREC-8 Question Answering Track Report")."""
    return 1 / np.asarray(ranks, np.float64)


def ndcg_at(ranks: ArrayLike, k: int) -> NDArray[np.float64]:
    """NDCG@k of each (Järvelin and Kekäläinen 2002, "Cumulated gain-based evaluation of IR techniques").

    With one relevant item the ideal gain is 1, which leaves 1/log2(1 + rank) up to rank k, and 0 after it.
    """
    return hit_at(ranks, k) / np.log2(1 + np.asarray(ranks, np.float64))


def area_under_curve(scores: NDArray[np.floating[Any]], place: int) -> float | None:
    """The share of the other items that score less than the one at `place`; ties count a half.

    The area under the ROC curve of one relevant item (Hanley and McNeil 1982, "The meaning and use of the
    area under a receiver operating characteristic curve"); one half is chance, and a constant score.

    Args:
        scores: [n] of all items, none of them NaN.
        place: of the relevant one.

    Returns:
        None where there is no other item.
    """
    if len(scores) < 2:
        return None
    own = scores[place]
    less, alike = np.count_nonzero(scores < own), np.count_nonzero(scores == own) - 1
    return float((less + alike / 2) / (len(scores) - 1))


class UserBootstrap:
    """Users drawn with replacement, each with all their cases (the bootstrap, Efron 1979), many times over.

    Cases of one user are not independent and stay together. One instance serves all figures of the same
    cases, so that paired figures use the same draws.

    Args:
        users: whose case it is, [n].
        rounds: how often to draw.
        seed: of the draws; the same one gives the same intervals.
    """

    def __init__(self, users: Sequence[str], rounds: int, seed: int) -> None:
        _, self._codes = np.unique(np.asarray(users), return_inverse=True)
        self._counts = np.bincount(self._codes).astype(np.float64)  # [u] cases of each
        u, rng = len(self._counts), np.random.default_rng(seed)
        self._drawn = np.zeros((rounds, u), np.float32)  # how often each user was drawn
        for start in range(0, rounds if u else 0, _AT_ONCE):
            some = self._drawn[start : start + _AT_ONCE]
            places = rng.integers(u, size=some.shape) + u * np.arange(len(some))[:, None]
            some += np.bincount(places.ravel(), minlength=some.size).reshape(some.shape)

    def interval(self, values: Sequence[float] | NDArray[np.float64]) -> tuple[float, float]:
        """The 95 % percentile interval of the mean of one value per case, [n]; NaN for no cases."""
        if not len(self._codes):
            return math.nan, math.nan
        return percentiles(self.means(values))

    @property
    def users(self) -> int:
        """How many users there are."""
        return len(self._counts)

    def means(self, values: Sequence[float] | NDArray[np.float64]) -> NDArray[np.float64]:
        """[rounds] the mean of one value per case, [n], over the users of each draw; at least one case."""
        sums = np.bincount(self._codes, weights=np.asarray(values, np.float64))  # [u]
        found: NDArray[np.float64] = (self._drawn @ sums) / (self._drawn @ self._counts)
        return found


def percentiles(means: NDArray[np.float64]) -> tuple[float, float]:
    """The 95 % interval of what was resampled, [rounds]."""
    low, high = np.quantile(means, (0.025, 0.975))
    return float(low), float(high)
