"""Ranking metrics with one relevant item a case, and their intervals.

Throughout, a case's rank is 1 where the target stands first. Ties go against the system: the target stands
behind everything that scores as high as it, so that a constant score is the worst ranking and not a lucky
one.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from rectune import intervals


def target_rank(items: Sequence[str], scores: Sequence[float], target: str) -> int:
    """The target's rank, from 1 to len(items); it loses ties, and a score that is no number loses to all.

    Raises:
        ValueError: the target is not among the items.
    """
    if target not in items:
        raise ValueError(f"the target {target!r} is not among the items ranked")
    own = scores[items.index(target)]
    return 1 + sum(not score < own for item, score in zip(items, scores, strict=True) if item != target)


def hit_at(ranks: Sequence[int], k: int) -> float:
    """Hit@k: share of the cases whose target is among the first k."""
    return float(np.mean([rank <= k for rank in ranks])) if ranks else math.nan


def reciprocal_ranks(ranks: Sequence[int]) -> list[float]:
    """1/rank a case; their mean is MRR (Voorhees 1999, "The TREC-8 Question Answering Track Report")."""
    return [1.0 / rank for rank in ranks]


def ndcg_at(ranks: Sequence[int], k: int) -> list[float]:
    """NDCG@k a case (Järvelin and Kekäläinen 2002, "Cumulated gain-based evaluation of IR techniques").

    With one relevant item the ideal gain is 1, which leaves 1/log2(1 + rank) up to rank k, and 0 after it.
    """
    return [1.0 / math.log2(1 + rank) if rank <= k else 0.0 for rank in ranks]


def wilson(hits: int, n: int) -> tuple[float, float]:
    """`rectune.intervals.wilson`; a share of nothing may be anything."""
    return intervals.wilson(hits, n) if n else (0.0, 1.0)


def bootstrap(values: Sequence[float], users: Sequence[str], rounds: int, seed: int) -> tuple[float, float]:
    """The 95 % percentile interval of a mean over users (Efron 1979): users are drawn, each with all their
    cases.

    Args:
        values: a figure a case, [n].
        users: whose case it is, [n]; cases of one user are not independent and stay together.
        rounds: how often to draw.
        seed: of the draws; the same one gives the same interval.
    """
    if not values:
        return math.nan, math.nan
    _, codes = np.unique(np.asarray(users), return_inverse=True)
    sums = np.bincount(codes, weights=np.asarray(values, np.float64))  # [u]
    counts = np.bincount(codes).astype(np.float64)  # [u]
    rng = np.random.default_rng(seed)
    means: NDArray[np.float64] = np.empty(rounds)
    for place in range(rounds):
        drawn = rng.integers(len(sums), size=len(sums))  # [u]
        means[place] = sums[drawn].sum() / counts[drawn].sum()
    low, high = np.quantile(means, (0.025, 0.975))
    return float(low), float(high)
