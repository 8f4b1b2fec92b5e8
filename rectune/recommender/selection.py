"""Which items of a catalogue may be recommended: conditions on categories, years and facts."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from numbers import Integral
from typing import Any

from rectune.core.errors import UserError
from rectune.core.types import Item

_FIELDS = ("category", "year", "domain")


def allowed_ids(items: Sequence[Item], where: Mapping[str, Any]) -> frozenset[str] | None:
    """The ids of the items that meet all conditions; None where there are no conditions.

    Args:
        items: the catalogue.
        where: `category`: a name, or several of which one is enough, case aside; `year`: a number, or a pair
            (first, last), either of which may be None; `domain`: a name; or the name of a fact that the items
            bear (`price`, `cast`), with its value, or several of which one is enough, as text, case aside; a
            fact with several values ("cast: A, B") is met by one of them.

    Raises:
        UserError: an unknown condition, one that no item meets together with those before it, or a year that
            is neither a number nor a pair.
    """
    if not where:
        return None
    left = list(items)
    for name, wanted in where.items():
        kept = [item for item in left if _meets(item, name, wanted)]
        if not kept:
            which = "no item" if len(left) == len(items) else "none of the items that meet the rest"
            raise UserError(f"{which} has {name} {_shown(name, wanted)}", hint=_hint(left, name))
        left = kept
    return frozenset(item.item_id for item in left)


def _meets(item: Item, name: str, wanted: Any) -> bool:
    if name == "category":
        return not _folded(wanted).isdisjoint(category.casefold() for category in item.categories)
    if name == "domain":
        return item.domain.casefold() in _folded(wanted)
    if name == "year":
        first, last = _years(wanted)
        year = item.year
        return year is not None and (first is None or first <= year) and (last is None or year <= last)
    own = [fact for fact in item.facts if fact.partition(": ")[0].casefold() == name.casefold()]
    return any(not _folded(wanted).isdisjoint(_values(fact)) for fact in own)


def _years(wanted: Any) -> tuple[int | None, int | None]:
    pair = tuple(wanted) if isinstance(wanted, (tuple, list)) else (wanted, wanted)
    if len(pair) != 2 or not all(year is None or isinstance(year, Integral) for year in pair):
        raise UserError(
            f"year is {wanted!r}", hint="give a number, or a pair (first, last), either of which may be None"
        )
    return pair


def _values(fact: str) -> set[str]:
    """The value of a fact, and each of several that commas part."""
    value = fact.partition(": ")[2].casefold()
    return {value, *value.split(", ")}


def _folded(wanted: Any) -> set[str]:
    several = wanted if isinstance(wanted, Collection) and not isinstance(wanted, str) else [wanted]
    return {str(one).casefold() for one in several}


def _shown(name: str, wanted: Any) -> str:
    if name == "year":
        first, last = _years(wanted)
        ends = ["…" if end is None else str(end) for end in (first, last)]
        return ends[0] if first == last else " to ".join(ends)
    return " or ".join(sorted(map(str, wanted))) if isinstance(wanted, (list, tuple, set)) else str(wanted)


def _hint(items: Sequence[Item], name: str) -> str:
    if name == "category":
        there = sorted({category for item in items for category in item.categories})
    elif name in _FIELDS:
        there = sorted({str(getattr(item, name)) for item in items if getattr(item, name) is not None})
    else:
        there = sorted({fact.partition(":")[0] for item in items for fact in item.facts})
        return f"conditions: {', '.join([*_FIELDS, *there])}"
    return (
        f"there are: {', '.join(there[:20])}{' …' if len(there) > 20 else ''}" if there else "no item has one"
    )
