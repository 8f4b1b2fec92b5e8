"""The first hits of a search that are allowed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from collections.abc import Set as AbstractSet
from typing import Protocol, TypeVar


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
