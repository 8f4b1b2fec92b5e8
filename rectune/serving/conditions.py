"""Conditions on items as clients write them: categories, values, and ranges of numbers."""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rectune.core.errors import UserError
from rectune.core.types import Item

# A minus behind a letter or a digit is a hyphen: approx-90, 10-20.
_NUMBER = re.compile(r"(?:(?<!\w)-)?\d+(?:\.\d+)?")
_THOUSANDS = re.compile(r"(?<=\d),(?=\d{3}(?:\D|$))")
# A comma before one or two digits is a decimal comma; before it points may part thousands.
_DECIMAL = re.compile(r"(?<![\d.,])(\d{1,3}(?:\.\d{3})+|\d+),(\d{1,2})(?![\d,])")


@dataclass(frozen=True)
class Range:
    """A range of numbers, both ends included; None leaves an end open."""

    first: float | None = None
    last: float | None = None

    def __contains__(self, number: float) -> bool:
        lower = -math.inf if self.first is None else self.first
        return lower <= number <= (math.inf if self.last is None else self.last)

    def __str__(self) -> str:
        ends = ["…" if end is None else f"{end:g}" for end in (self.first, self.last)]
        return " to ".join(ends)


@dataclass(frozen=True)
class Conditions:
    """Conditions as the recommender takes them.

    Attributes:
        where: see `rectune.recommender.selection.allowed_ids`.
        within: the ids that meet the ranges of facts; None where there are none.
    """

    where: Mapping[str, Any]
    within: frozenset[str] | None


def conditions(items: Mapping[str, Item], categories: Sequence[str], where: Mapping[str, Any]) -> Conditions:
    """The conditions of a request.

    Args:
        items: the catalogue, by id.
        categories: of which an item has one, case aside; any where there are none.
        where: name -> a value, several of which one is enough, or a `Range`; see `allowed_ids`.

    Raises:
        UserError: no item meets a range of a fact, or categories are given twice.
    """
    equal: dict[str, Any] = {}
    ids: frozenset[str] | None = None
    for name, wanted in where.items():
        if not isinstance(wanted, Range):
            equal[name] = wanted
        elif name == "year":
            equal[name] = (
                None if wanted.first is None else math.ceil(wanted.first),
                None if wanted.last is None else math.floor(wanted.last),
            )
        else:
            found = _in_range(items.values(), name, wanted)
            ids = found if ids is None else ids & found
    if categories:
        if "category" in equal:
            raise UserError("categories are given twice", where="where", hint="give them in one place")
        equal["category"] = list(categories)
    return Conditions(equal, ids)


def _in_range(items: Collection[Item], name: str, wanted: Range) -> frozenset[str]:
    """The items with a number of this fact within a range: the first number that its value has."""
    found = frozenset(
        item.item_id
        for item in items
        if any(
            (number := _number(fact)) is not None and number in wanted
            for fact in item.facts
            if fact.partition(": ")[0].casefold() == name.casefold()
        )
    )
    if not found:
        there = sorted({fact.partition(": ")[0] for item in items for fact in item.facts})
        raise UserError(
            f"no item has {name} {wanted}", where="where", hint=f"facts: {', '.join(there) or 'none'}"
        )
    return found


def _number(fact: str) -> float | None:
    told = _DECIMAL.sub(lambda one: f"{one[1].replace('.', '')}.{one[2]}", fact.partition(": ")[2])
    found = _NUMBER.search(_THOUSANDS.sub("", told))
    return float(found[0]) if found else None
