"""Fusing rankers by weights: standardised scores, and less weight of likes where an item has few."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import numpy as np
from numpy.typing import NDArray

from rectune.core.figures.fit import RankerWeights
from rectune.core.text.translation import ENGLISH, Translation
from rectune.rankers.base import Scores


def standardised_rows(scores: Scores) -> Scores:
    """[n, items] each row with mean 0 and deviation 1; a row of equal scores is all 0.

    The score normalisation of Montague and Aslam 2001, "Relevance score normalization for metasearch".
    Scores that are not finite count as the lowest finite one.
    """
    finite = np.isfinite(scores)
    if not finite.all():
        lowest = np.where(finite, scores, np.inf).min(axis=1, keepdims=True, initial=np.inf)
        scores = np.where(finite, scores, np.where(np.isfinite(lowest), lowest, 0.0))
    if not scores.size:
        return scores
    centred = scores - scores.mean(axis=1, keepdims=True)
    deviation = centred.std(axis=1, keepdims=True)
    even = deviation <= 1e-12 * np.abs(scores).max(axis=1, keepdims=True, initial=0.0)
    result: Scores = np.where(even, 0.0, centred / np.where(even, 1.0, deviation))
    return result


def standardised(scores: Scores) -> Scores:
    """[items] the same of one row."""
    row: Scores = standardised_rows(scores[None])[0]
    return row


def item_weights(
    weights: RankerWeights, learning: Collection[str], likes: NDArray[np.int64]
) -> dict[str, NDArray[np.float64]]:
    """[items] by ranker the weight of its standardised score; see `RankerWeights`.

    Args:
        learning: which of the rankers learn from likes.
        likes: [items] how many train users liked each item.
    """
    own = {name: weight for name, weight in weights.weights.items() if name not in learning}
    rest = sum(own.values())
    full = np.ones(len(likes))
    if weights.half_likes and rest and len(own) < len(weights.weights):
        full = likes / (likes + weights.half_likes)
    taken = (1 - rest) * (1 - full)  # [items] what rankers that learn from likes leave to the others
    return {
        name: weight + taken * weight / rest if name in own else weight * full
        for name, weight in weights.weights.items()
    }


def weighted(
    scores: Mapping[str, Scores],
    weights: RankerWeights,
    learning: Collection[str],
    likes: NDArray[np.int64],
) -> Scores:
    """[n, items] the fused scores; those of a single ranker as they are.

    Args:
        scores: [n, items] of each ranker that has a weight.
        weights, learning, likes: see `item_weights`.
    """
    if len(weights.weights) == 1:
        return scores[next(iter(weights.weights))]
    plain = {name: standardised_rows(scores[name]) for name in weights.weights}
    return weighted_sum(plain, weights, learning, likes)


def weighted_sum(
    standard: Mapping[str, Scores],
    weights: RankerWeights,
    learning: Collection[str],
    likes: NDArray[np.int64],
) -> Scores:
    """[n, items] the fused scores, in the type of the scores that are given.

    Args:
        standard: [n, items] standardised scores of each ranker that has a weight.
        weights, learning, likes: see `item_weights`.
    """
    total = np.zeros_like(standard[next(iter(weights.weights))])
    for name, own in item_weights(weights, learning, likes).items():
        total += standard[name] * own.astype(total.dtype)
    return total


def label_of(weights: RankerWeights, tr: Translation = ENGLISH) -> str:
    """The weights in words: `ease`, or `0.7 ease + 0.3 hybrid`."""
    if len(weights.weights) == 1:
        return next(iter(weights.weights))
    said = " + ".join(f"{weight:.2g} {name}" for name, weight in weights.weights.items())
    half = tr(", half at {likes} likes", likes=f"{weights.half_likes:g}")
    return said + (half if weights.half_likes else "")
