"""The places of the best scores."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Scores = NDArray[np.floating[Any]]


def best_places(scores: Scores, k: int) -> NDArray[np.int64]:
    """The places of the k highest scores, the best first; of equal ones the first. NaN is the lowest."""
    scores = np.where(np.isnan(scores), -np.inf, scores)
    count = min(max(k, 0), len(scores))
    if count * 4 < len(scores):  # sorting all of a large catalogue takes longer
        least = np.partition(scores, len(scores) - count)[len(scores) - count] if count else np.inf
        places = np.flatnonzero(scores >= least)
    else:
        places = np.arange(len(scores))
    return places[np.argsort(-scores[places], kind="stable")[:count]]


def best_allowed(scores: Scores, k: int, allowed: NDArray[np.bool_]) -> NDArray[np.int64]:
    """The same among the items that are allowed, [items]."""
    left = np.flatnonzero(allowed)
    return left[best_places(scores[left], k)]
