"""Further titles by which items are found: their original titles, where these name no other item."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TypeVar

from rectune.core.types import ORIGINAL_TITLE, Item
from rectune.prompts.titles import key_of, name_of, plain_title

Bearer = TypeVar("Bearer", int, str)
_FACT = f"{ORIGINAL_TITLE}: "


@dataclass(frozen=True)
class OtherTitles:
    """The original titles of items, told by their fact `original title: …`.

    Attributes:
        titles: the place of an item, from 0 -> its further title.
        taken: how many are not used because another item has them as its own title.
        shared: how many are not used because items of several titles have them as their original title.
    """

    titles: dict[int, str] = field(default_factory=dict)
    taken: int = 0
    shared: int = 0

    @classmethod
    def of(cls, items: Iterable[Item]) -> OtherTitles:
        """Those of items; an item's own title is never overridden, whatever its case, signs, or year."""
        items = tuple(items)
        found = [(told, place) for place, item in enumerate(items) if (told := _original(item))]
        if not found:
            return cls()
        own = _bearers((name, place) for place, item in enumerate(items) for name in _names(item.title))
        works = _bearers((name, plain_title(items[at].title)) for told, at in found for name in _names(told))
        used: dict[int, str] = {}
        taken = shared = 0
        for told, place in found:
            names = _names(told)
            if bearers := {bearer for name in names for bearer in own.get(name, ())}:
                taken += place not in bearers
            elif any(len(works[name]) > 1 for name in names):
                shared += 1
            else:
                used[place] = told
        return cls(used, taken, shared)

    def among(self, places: Iterable[int]) -> dict[int, str]:
        """Those of the items at some places."""
        return {place: self.titles[place] for place in places if place in self.titles}

    def describe(self) -> str:
        """For the person; empty where no item has an original title."""
        if not (self.titles or self.taken or self.shared):
            return ""
        said = f"{len(self.titles):,} items are also known by their original title"
        if not self.taken and not self.shared:
            return said
        lost = f"{self.taken:,} that are another item's title, {self.shared:,} that several share"
        return f"{said}; not used: {lost}"


def _bearers(named: Iterable[tuple[str, Bearer]]) -> dict[str, set[Bearer]]:
    found: dict[str, set[Bearer]] = {}
    for name, bearer in named:
        found.setdefault(name, set()).add(bearer)
    return found


def _original(item: Item) -> str:
    return next((fact.removeprefix(_FACT) for fact in item.facts if fact.startswith(_FACT)), "")


def _names(title: str) -> set[str]:
    """What spellings of a title have in common, with its year in brackets and without it."""
    return {key_of(title), plain_title(title), name_of(title)} - {""}
