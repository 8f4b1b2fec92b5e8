"""Further titles by which items are found, where these name no other item.

The original title that a fact tells, and both titles where a second one stands in brackets: in another script
("Parasite (기생충)"), behind "a.k.a.", or with its article moved behind ("(Postino, Il)").
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TypeVar

from rectune.core.text.leading_article import upright
from rectune.core.types import ORIGINAL_TITLE, Item
from rectune.prompts.titles import key_of, name_of, plain_title, unescape, without_year

Bearer = TypeVar("Bearer", int, str)
_FACT = f"{ORIGINAL_TITLE}: "
_TWO = re.compile(r"(?P<one>[^()（）\[\]]+)[(（\[](?P<two>[^()（）\[\]]+)[)）\]]")
_KNOWN_AS = re.compile(r"a\.?k\.?a\.?\s+", re.IGNORECASE)


@dataclass(frozen=True)
class OtherTitles:
    """The further titles of items.

    Attributes:
        titles: the place of an item, from 0, and a further title of it.
        taken: how many are not used because another item has them as its own title.
        shared: how many are not used because items of several titles have them.
    """

    titles: tuple[tuple[int, str], ...] = ()
    taken: int = 0
    shared: int = 0

    @classmethod
    def of(cls, items: Iterable[Item]) -> OtherTitles:
        """Those of items; an item's own title is never overridden, whatever its case, signs, or year."""
        items = tuple(items)
        found = [(told, place) for place, item in enumerate(items) for told in _told(item)]
        if not found:
            return cls()
        own = _bearers((name, place) for place, item in enumerate(items) for name in _names(item.title))
        works = _bearers((name, plain_title(items[at].title)) for told, at in found for name in _names(told))
        used: list[tuple[int, str]] = []
        taken = shared = 0
        for told, place in found:
            names = _names(told)
            if bearers := {bearer for name in names for bearer in own.get(name, ())}:
                taken += place not in bearers
            elif any(len(works[name]) > 1 for name in names):
                shared += 1
            else:
                used.append((place, told))
        return cls(tuple(used), taken, shared)

    def among(self, places: Iterable[int]) -> tuple[tuple[int, str], ...]:
        """Those of the items at some places."""
        wanted = frozenset(places)
        return tuple(one for one in self.titles if one[0] in wanted)

    def describe(self) -> str:
        """For the person; empty where no item has a further title."""
        if not (self.titles or self.taken or self.shared):
            return ""
        count = len({place for place, _ in self.titles})
        said = f"{count:,} items are also known by their original title or the one in brackets"
        if not self.taken and not self.shared:
            return said
        lost = f"{self.taken:,} that are another item's title, {self.shared:,} that several share"
        return f"{said}; not used: {lost}"


def _bearers(named: Iterable[tuple[str, Bearer]]) -> dict[str, set[Bearer]]:
    found: dict[str, set[Bearer]] = {}
    for name, bearer in named:
        found.setdefault(name, set()).add(bearer)
    return found


def _told(item: Item) -> list[str]:
    """The further titles of an item, each once."""
    found = [fact.removeprefix(_FACT) for fact in item.facts if fact.startswith(_FACT)][:1]
    return list(dict.fromkeys([*found, *_two_titles(item.title)]))


def _two_titles(title: str) -> Iterator[str]:
    """The two titles of one that has the second in brackets; nothing where what they hold may be no title."""
    title = unescape(title)[0]
    parts = _TWO.fullmatch((without_year(title) or title).strip())
    if not parts or not any(map(str.isalnum, parts["one"])):
        return
    one, two = parts["one"].strip(), parts["two"].strip()
    named = _KNOWN_AS.match(two)
    scripts = _scripts(one), _scripts(two)
    if named or upright(two) != two or (all(scripts) and not scripts[0] & scripts[1]):
        yield from (one, two[named.end() :] if named else two)


def _scripts(text: str) -> frozenset[str]:
    """The scripts of its letters, as LATIN and HANGUL."""
    return frozenset(unicodedata.name(sign, "").partition(" ")[0] for sign in text if sign.isalpha())


def _names(title: str) -> set[str]:
    """What spellings of a title have in common, with its year in brackets and without it."""
    return {key_of(title), plain_title(title), name_of(title)} - {""}
