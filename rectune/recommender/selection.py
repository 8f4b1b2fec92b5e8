"""Which items of a catalogue may be recommended: conditions on categories, years and facts."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
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
            bear (`price`, `maker`), with its value or several, as text, case aside.

    Raises:
        UserError: an unknown condition, or one that no item meets.
    """
    if not where:
        return None
    left = list(items)
    for name, wanted in where.items():
        kept = [item for item in left if _meets(item, name, wanted)]
        if not kept:
            raise UserError(f"no item has {name} {_shown(wanted)}", hint=_hint(items, name))
        left = kept
    return frozenset(item.item_id for item in left)


def _meets(item: Item, name: str, wanted: Any) -> bool:
    if name == "category":
        return not _folded(wanted).isdisjoint(category.casefold() for category in item.categories)
    if name == "domain":
        return item.domain.casefold() in _folded(wanted)
    if name == "year":
        first, last = wanted if isinstance(wanted, (tuple, list)) else (wanted, wanted)
        return item.year is not None and (first or item.year) <= item.year <= (last or item.year)
    return any(
        fact.casefold() in {f"{name}: {one}".casefold() for one in _folded(wanted)} for fact in item.facts
    )


def _folded(wanted: Any) -> set[str]:
    several = wanted if isinstance(wanted, Collection) and not isinstance(wanted, str) else [wanted]
    return {str(one).casefold() for one in several}


def _shown(wanted: Any) -> str:
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
