"""Reciprocal rank fusion: several rankings of the same things made into one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeVar

Key = TypeVar("Key")

_CONSTANT = 60  # of the paper, whose authors found it to matter little


def reciprocal_rank_fusion(
    rankings: Mapping[str, Sequence[Key]], weights: Mapping[str, float] | None = None
) -> dict[Key, float]:
    """score(d) = sum over the rankings that hold d of weight / (60 + rank of d), ranks from 1, weights 1.

    Cormack, Clarke and Buettcher 2009, "Reciprocal Rank Fusion outperforms Condorcet and individual Rank
    Learning Methods". A thing that a ranking lacks gains nothing from it.
    """
    scores: dict[Key, float] = {}
    for name, ranking in rankings.items():
        weight = weights[name] if weights else 1.0
        for rank, key in enumerate(ranking, 1):
            scores[key] = scores.get(key, 0.0) + weight / (_CONSTANT + rank)
    return scores
