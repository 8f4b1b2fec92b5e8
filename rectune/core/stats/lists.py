"""Figures of recommended lists that need no target: coverage, evenness, distance and novelty."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray


def gini(counts: ArrayLike) -> float | None:
    """How unevenly things are counted: 0 all alike, (n - 1)/n all in one; None where nothing is counted.

    sum_i (2i - n - 1) x_i / (n sum_i x_i) with x ascending and i from 1 (Gini 1912; for what recommenders
    show: Fleder and Hosanagar 2009, "Blockbuster culture's next rise or fall").

    Args:
        counts: [n] of each thing, those that are never counted among them.
    """
    ascending = np.sort(np.asarray(counts, np.float64))
    n, total = len(ascending), ascending.sum()
    if not total:
        return None
    found = float((2 * np.arange(1, n + 1) - n - 1) @ ascending / (n * total))
    return min(max(found, 0.0), 1.0)  # rounding must not step over the ends


def cosine_distance(vectors: NDArray[np.floating]) -> float | None:
    """The mean of 1 - cosine over all pairs of rows; None for fewer than two rows.

    The intra-list distance of Zhang and Hurley 2008, "Avoiding monotony".

    Args:
        vectors: [n, d] unit rows.
    """
    n = len(vectors)
    if n < 2:
        return None
    rows = np.asarray(vectors, np.float64)
    cosines = (float((rows.sum(axis=0) ** 2).sum()) - float((rows**2).sum())) / (n * (n - 1))
    return max(1 - cosines, 0.0)


def jaccard_distance(sets: Sequence[Collection[str]]) -> float | None:
    """The mean of 1 - |A and B| / |A or B| (Jaccard 1912) over all pairs; a pair of empty sets is left out.

    None where no pair is left.
    """
    own = [frozenset(one) for one in sets]
    found = [
        1 - len(one & other) / len(one | other)
        for at, one in enumerate(own)
        for other in own[at + 1 :]
        if one | other
    ]
    return sum(found) / len(found) if found else None


def novelty(likes: ArrayLike, users: int) -> float | None:
    """The mean of -log2(likes / users): the self-information of what is shown.

    Zhou et al. 2010, "Solving the apparent diversity-accuracy dilemma of recommender systems". An item that
    nobody liked counts as if one user had, so that the mean is finite.

    Args:
        likes: [n] how many of the users liked each item that is shown.
        users: how many users there are; None comes back without any, and where nothing is shown.
    """
    counts = np.maximum(np.asarray(likes, np.float64), 1)
    if not users or not len(counts):
        return None
    return float(np.maximum(-np.log2(counts / users), 0.0).mean())
