"""Metrics of one ranking with any number of relevant items."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Scores = NDArray[np.floating[Any]]


def precision_at(scores: Scores, relevant: NDArray[np.bool_], k: int) -> float:
    """The share of the first k items that are relevant; among equal scores relevant ones come last.

    Args:
        scores: [n], NaN is the lowest.
        relevant: [n].
        k: at least 1; with fewer items the rest count as misses.
    """
    plain = np.where(np.isnan(scores), -np.inf, scores)
    return float(np.count_nonzero(relevant[np.lexsort((relevant, -plain))[:k]]) / k)


def auc(scores: Scores, relevant: NDArray[np.bool_]) -> float:
    """The area under the ROC curve (Hanley and McNeil 1982), as `metrics.area_under_curve` for several.

    The share of pairs of a relevant and another item in which the relevant one scores higher, ties count a
    half; one half is chance, and a constant score.

    Args:
        scores: [n], none of them NaN.
        relevant: [n], neither all nor none.
    """
    others = np.sort(scores[~relevant])
    own = scores[relevant]
    below = np.searchsorted(others, own, "left") + np.searchsorted(others, own, "right")
    return float(below.mean() / (2 * len(others)))
