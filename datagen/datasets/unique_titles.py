"""Titles that differ from each other: those of several items are told apart by a mark, or by a number."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from rectune.readers.text import clean_text


def tell_apart(titles: Sequence[str], marks: Sequence[Sequence[str | None] | None]) -> list[str]:
    """Titles that differ from each other, case set aside.

    Items of one title get their first mark (a year, an author, a city) in brackets if it differs among
    them, then the next; those that are still alike are numbered from the second on, in the order given.
    """
    told = list(titles)
    for level in range(max((len(each or ()) for each in marks), default=0)):
        for group in _alike(told):
            found = {place: mark for place in group if (mark := _mark(marks[place], level))}
            if len({found.get(place, "").casefold() for place in group}) > 1:
                for place, mark in found.items():
                    told[place] = f"{told[place]} ({mark})"
    return _numbered(told)


def _mark(marks: Sequence[str | None] | None, level: int) -> str | None:
    return clean_text(marks[level]) or None if marks and level < len(marks) else None


def _alike(titles: Sequence[str]) -> list[list[int]]:
    """The places of titles that occur more than once, a group a title."""
    folded = [title.casefold() for title in titles]
    counts = Counter(folded)
    groups: dict[str, list[int]] = {}
    for place, title in enumerate(folded):
        if counts[title] > 1:
            groups.setdefault(title, []).append(place)
    return list(groups.values())


def _numbered(titles: Sequence[str]) -> list[str]:
    taken = {title.casefold() for title in titles}
    met: dict[str, int] = {}
    result = []
    for title in titles:
        folded = title.casefold()
        number = met.get(folded, 0) + 1
        if number > 1:
            while f"{folded} ({number})" in taken:
                number += 1
            taken.add(f"{folded} ({number})")
            title = f"{title} ({number})"
        met[folded] = number
        result.append(title)
    return result
