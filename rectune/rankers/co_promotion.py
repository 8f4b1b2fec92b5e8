"""Pairs of items that the same users promote: what an embedder is tuned on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from rectune.core.rng import generator_of
from rectune.rankers.co_likes import FEWEST
from rectune.rankers.domain_data import TrainLikes
from rectune.rankers.promoters import Promoters

_NEAREST = 5  # pairs of an item, the most alike first
_AT_ONCE = 64  # items that are compared with all others together


@dataclass(frozen=True)
class CoPromotion:
    """Two items by their places in the catalogue, the first before the second, and how alike they are.

    `jaccard` is the share of the users who promoted either that promoted both, 0 to 1: those who agree on the
    two items against those who disagree. In terms of agreement from -1 to 1 it is 2 * jaccard - 1.
    """

    first: int
    second: int
    jaccard: float


def co_promoted(likes: TrainLikes) -> list[CoPromotion]:
    """Every item with those that are most alike by their promoters, each pair once, the most alike first.

    An item has at most five pairs of its own; at least three users promoted both items (`FEWEST`). Sets of
    users by item are compared, never sets of items by user.
    """
    promoters, found = Promoters(likes), dict[tuple[int, int], float]()
    known = np.flatnonzero(likes.counts >= FEWEST)
    for start in range(0, len(known), _AT_ONCE):
        some = known[start : start + _AT_ONCE]
        jaccard = np.where(promoters.common(some) >= FEWEST, promoters.jaccard(some), 0.0)
        jaccard[np.arange(len(some)), some] = 0.0
        for place, row in zip(some.tolist(), jaccard, strict=True):
            for other in np.argsort(-row, kind="stable")[:_NEAREST].tolist():
                if row[other] > 0:
                    found[min(place, other), max(place, other)] = float(row[other])
    pairs = [CoPromotion(*places, jaccard) for places, jaccard in found.items()]
    return sorted(pairs, key=lambda one: (-one.jaccard, one.first, one.second))


def drawn(pairs: Sequence[CoPromotion], count: int, seed: int) -> list[CoPromotion]:
    """At most so many of the pairs, in a seeded order, drawn with chances in proportion to their Jaccard."""
    if not pairs:
        return []
    chances = np.array([one.jaccard for one in pairs])
    rng = generator_of("co-promotion", seed)
    chosen = rng.choice(len(pairs), min(count, len(pairs)), replace=False, p=chances / chances.sum())
    return [pairs[at] for at in chosen]
