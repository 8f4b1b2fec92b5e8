"""What an item has in common with the items of a history: categories, makers and other facts, the decade."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from rectune.core.item_values import categories_of, facts_by_value, is_maker
from rectune.core.types import ORIGINAL_TITLE, Item

Shown = TypeVar("Shown")

_LIKED = 10  # items of a history that are looked at, the latest
_LETTER = re.compile(r"[^\W\d_]")


@dataclass(frozen=True, slots=True)
class Common:
    """What an item has in common with one item of a history.

    Attributes:
        liked: that item.
        categories: case aside -> as the catalogue has them.
        facts: value, case aside -> name and value of the fact; numbers are left out.
        decade: its first year.
    """

    liked: Item
    categories: Mapping[str, str]
    facts: Mapping[str, tuple[str, str]]
    decade: int | None

    @property
    def size(self) -> tuple[int, bool]:
        """How much it is: a maker counts as two categories, a decade where all else is equal."""
        facts = sum(2 if is_maker(name) else 1 for name, _ in self.facts.values())
        return len(self.categories) + facts, self.decade is not None

    def of(self, other: Common) -> Common:
        """What of it is in common with another item of the history too."""
        return replace(
            self, categories=_both(self.categories, other.categories), facts=_both(self.facts, other.facts)
        )


def most_in_common(item: Item, liked: Sequence[Item]) -> list[Common]:
    """The item of the history with which an item has the most in common, of equal ones the latest; with a
    second one that has some of the same in common, where there is one.
    """
    found = [one for one in (_common(item, past) for past in reversed(liked[-_LIKED:])) if any(one.size)]
    if not found:
        return []
    first = max(found, key=lambda one: one.size)
    others = [one for one in found if one is not first and _as_much(one.of(first), first)]
    second = max(others, key=lambda one: one.of(first).size, default=None)
    return [first, second] if second else [first]


def _as_much(shared: Common, first: Common) -> bool:
    """Whether there is something to say of both: a fact in common, or all categories of the first."""
    return bool(shared.facts) or 0 < len(first.categories) == len(shared.categories)


def _common(item: Item, past: Item) -> Common:
    decades = [one.year // 10 * 10 if one.year is not None else None for one in (item, past)]
    return Common(
        past,
        _both(categories_of(item), categories_of(past)),
        _both(_named_facts(item), _named_facts(past)),
        decades[0] if decades[0] == decades[1] else None,
    )


def _named_facts(item: Item) -> dict[str, tuple[str, str]]:
    """The facts that two items may share: no titles, and no numbers."""
    found = facts_by_value(item)
    return {key: one for key, one in found.items() if one[0] != ORIGINAL_TITLE and _LETTER.search(one[1])}


def _both(own: Mapping[str, Shown], other: Mapping[str, Any]) -> dict[str, Shown]:
    return {key: shown for key, shown in own.items() if key in other}
