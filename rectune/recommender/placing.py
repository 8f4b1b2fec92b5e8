"""Which items of a ranking get the places of an answer: some unfamiliar ones, and few of one maker."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rectune.core.item_values import categories_of, makers_of, values_of
from rectune.core.types import Item
from rectune.rankers.base import ScoredItem
from rectune.recommender.options import RecommendOptions


@dataclass(frozen=True)
class RankedItems:
    """A ranking of the catalogue.

    Attributes:
        items: those that are allowed, the best first.
        least: the score that stands one standard deviation above the mean of the whole catalogue: an
            unfamiliar item gets a place only if it scores more.
    """

    items: Sequence[ScoredItem]
    least: float


@dataclass(frozen=True)
class Places:
    """The items of an answer, the best first, and the ids of those that got a place for unfamiliar items."""

    items: tuple[ScoredItem, ...]
    explored: frozenset[str] = frozenset()


def placed(
    ranked: RankedItems, items: Mapping[str, Item], liked: Sequence[Item], options: RecommendOptions
) -> Places:
    """Give the places of an answer.

    An item is unfamiliar where it has categories or makers and the history has none of them. So many places
    as `options` says go to the best unfamiliar items that score more than `ranked.least`; where there are not
    enough, the rest goes to the best items as usual. Of an answer at most `options.at_most` items have one
    value of `options.per`; an item that has several counts for each, one that has none is not limited.

    Args:
        ranked: the ranking.
        items: the catalogue, by id.
        liked: the history; without any nothing is unfamiliar.
        options: of the call.
    """
    if not options.chooses:
        return Places(tuple(ranked.items[: options.k]))
    limit = _Limit(options, items)
    new = _unfamiliar(ranked, items, liked) if options.explored else []
    explored = limit.taken(new, options.explored)
    there = {one.item_id for one in explored}
    rest = limit.taken([one for one in ranked.items if one.item_id not in there], options.k - len(explored))
    order = {one.item_id: place for place, one in enumerate(ranked.items)}
    chosen = sorted([*explored, *rest], key=lambda one: order[one.item_id])
    return Places(tuple(chosen), frozenset(there))


class _Limit:
    """Counts what an answer has of each value, and lets pass what is not one too many."""

    def __init__(self, options: RecommendOptions, items: Mapping[str, Item]) -> None:
        self._options, self._items = options, items
        self._counts: Counter[str] = Counter()

    def taken(self, ranked: Sequence[ScoredItem], count: int) -> list[ScoredItem]:
        """The first so many that may pass."""
        found: list[ScoredItem] = []
        for one in ranked:
            if len(found) >= count:
                break
            values = values_of(self._items[one.item_id], self._options.per) if self._options.at_most else ()
            if all(self._counts[value] < self._options.at_most for value in values):
                self._counts.update(values)
                found.append(one)
        return found


def _unfamiliar(ranked: RankedItems, items: Mapping[str, Item], liked: Sequence[Item]) -> list[ScoredItem]:
    known = {value for item in liked for value in _traits(item)}
    if not known:
        return []
    able = ((one, _traits(items[one.item_id])) for one in ranked.items if one.score > ranked.least)
    return [one for one, own in able if own and known.isdisjoint(own)]


def _traits(item: Item) -> set[tuple[str, str]]:
    return {("category", one) for one in categories_of(item)} | {("maker", one) for one in makers_of(item)}
