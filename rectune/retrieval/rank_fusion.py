"""Rankings fused by reciprocal rank, and the first of a ranking that are allowed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Protocol, TypeVar

_RRF_CONSTANT = 60  # of the paper, whose authors found it to matter little

Ranked = TypeVar("Ranked")


def reciprocal_rank_fusion(
    rankings: Mapping[str, Sequence[Ranked]], weights: Mapping[str, float] | None = None
) -> dict[Ranked, float]:
    """score(d) = sum over the rankings that hold d of weight / (60 + rank of d), ranks from 1, weights 1.

    Cormack, Clarke and Buettcher 2009, "Reciprocal Rank Fusion outperforms Condorcet and individual Rank
    Learning Methods". An item that a ranking lacks gets nothing from it.
    """
    scores: dict[Ranked, float] = {}
    for name, ranking in rankings.items():
        weight = weights[name] if weights else 1.0
        for rank, key in enumerate(ranking, 1):
            scores[key] = scores.get(key, 0.0) + weight / (_RRF_CONSTANT + rank)
    return scores


class HasItemId(Protocol):
    """Anything that was found and names its item."""

    @property
    def item_id(self) -> str:
        """The item's id."""
        ...


Found = TypeVar("Found", bound=HasItemId)


def first_within(
    search: Callable[[int], Sequence[Found]], k: int, within: AbstractSet[str] | None
) -> list[Found]:
    """The first `k` hits of a search that are allowed; more are asked for until there are so many.

    Args:
        search: gives so many hits, the best first; fewer only if there are no more.
        k: how many.
        within: the ids that are allowed; all without it.
    """
    limit = k
    while True:
        hits = search(limit)
        kept = [hit for hit in hits if within is None or hit.item_id in within]
        if len(kept) >= k or len(hits) < limit:
            return kept[:k]
        limit *= 4
