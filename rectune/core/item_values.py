"""What two items may have in common by the catalogue: categories, makers, decades, facts."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from rectune.core.errors import UserError
from rectune.core.types import Item

# The names of facts that say who made an item, case aside; in English and Korean, and in the plural too.
MAKERS = frozenset(
    "maker brand manufacturer author writer artist band composer director studio developer publisher creator "
    "designer label 제조사 브랜드 저자 작가 가수 감독 제작사 개발사 출판사 작곡가".split()
)


def categories_of(item: Item) -> dict[str, str]:
    """The categories, case aside -> as the catalogue has them; without those like `(no genres listed)`."""
    named = (category.strip() for category in item.categories)
    return {one.casefold(): one for one in named if one and not (one[0] == "(" and one[-1] == ")")}


def makers_of(item: Item) -> dict[str, str]:
    """Who made an item, by its facts that `MAKERS` names, case aside -> as the catalogue has them."""
    return _facts(item, is_maker)


def facts_by_value(item: Item) -> dict[str, tuple[str, str]]:
    """The facts of an item by what they say: value, case aside -> (name in the singular, value as shown).

    Makers come first. Of several values that commas part each is a value of its own.
    """
    told = [(name, value) for name, _, value in (fact.partition(": ") for fact in item.stated)]
    found: dict[str, tuple[str, str]] = {}
    for name, value in sorted(told, key=lambda one: not is_maker(one[0])):
        shown = _singular(name) if is_maker(name) else name
        for one in filter(None, map(str.strip, value.split(", "))):
            found.setdefault(one.casefold(), (shown, one))
    return found


def _singular(name: str) -> str:
    folded = name.casefold().strip()
    return folded if folded in MAKERS else folded.removesuffix("s")


def facts_named(item: Item, name: str) -> dict[str, str]:
    """The values of a fact, each of several that commas part, case aside -> as the catalogue has them.

    `director` also names the fact `directors`, and the other way round.
    """
    singular = name.casefold().removesuffix("s")
    return _facts(item, lambda other: other.removesuffix("s") == singular)


def _facts(item: Item, wanted: Callable[[str], bool]) -> dict[str, str]:
    pairs = (fact.partition(": ") for fact in item.facts)
    values = [value for name, _, value in pairs if wanted(name.casefold())]
    return {one.casefold(): one for value in values for part in value.split(",") if (one := part.strip())}


def is_maker(name: str) -> bool:
    """Whether a fact of this name says who made an item."""
    folded = name.casefold().strip()
    return folded in MAKERS or folded.removesuffix("s") in MAKERS


def values_of(item: Item, name: str) -> frozenset[str]:
    """The values of `category`, `maker`, `year` or a fact, case aside; empty where an item has none."""
    if name == "category":
        return frozenset(categories_of(item))
    if name == "year":
        return frozenset() if item.year is None else frozenset({str(item.year)})
    own = frozenset(facts_named(item, name))
    return own or (frozenset(makers_of(item)) if name == "maker" else own)


def checked_property(items: Iterable[Item], name: str) -> str:
    """The name, if at least one item has a value of that property.

    Raises:
        UserError: none has one; the hint lists what there is.
    """
    every = list(items)
    if any(values_of(item, name) for item in every):
        return name
    facts = sorted({fact.partition(": ")[0] for item in every for fact in item.facts})
    made = ["maker"] if any(map(is_maker, facts)) and "maker" not in facts else []
    there = [one for one in ("category", "year") if any(values_of(item, one) for item in every)]
    raise UserError(
        f"no item has a {name}", hint=f"there are: {', '.join([*there, *made, *facts]) or 'none'}"
    )
