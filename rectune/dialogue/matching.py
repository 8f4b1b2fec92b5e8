"""Which items a claim speaks of, by what the catalogue says of them: no model is asked."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

from rectune.core.extras import is_installed
from rectune.core.item_values import categories_of, makers_of, values_of
from rectune.core.text.support import content_words
from rectune.core.types import Item
from rectune.dialogue.knowledge import Claim

_YEAR = re.compile(r"\d{4}")
_HANGUL = re.compile("[가-힣]")


def claim_matches(claim: Claim, item: Item) -> bool:
    """Whether an item has what a claim speaks of, liked or avoided.

    A category, a maker and a fact are compared whole, case aside, a decade by the item's year. A `word` or a
    `taste` matches where all its content words stand in the catalogue's text of the item, English ones by
    their stems, Korean ones by their morphemes, or where it is one of the item's categories or makers.
    """
    value = claim.value.strip().casefold()
    if not value:
        return False
    if claim.aspect == "category":
        return value in categories_of(item)
    if claim.aspect == "maker":
        return value in makers_of(item)
    if claim.aspect == "decade":
        return _same_decade(value, item.year)
    if claim.aspect in ("word", "taste"):
        return value in categories_of(item) or value in makers_of(item) or _stands_in(claim.value, item)
    return value in values_of(item, claim.aspect)


def matching_items(claim: Claim, items: Iterable[Item]) -> list[Item]:
    """The items that have what a claim speaks of, in their order."""
    return [item for item in items if claim_matches(claim, item)]


def avoided_in(item: Item, claims: Iterable[Claim]) -> list[Claim]:
    """The claims, of those that count, on what a person avoids that an item goes against."""
    return [
        claim for claim in claims if claim.counts and claim.stance == "avoids" and claim_matches(claim, item)
    ]


def is_firm(claim: Claim) -> bool:
    """Whether a person said it or confirmed it; else it was concluded from what they did."""
    return bool(claim.quote) or claim.state in ("kept", "edited")


def liked_in(item: Item, claims: Iterable[Claim]) -> list[Claim]:
    """The claims, of those that count, on what a person likes that an item satisfies."""
    return [
        claim for claim in claims if claim.counts and claim.stance == "likes" and claim_matches(claim, item)
    ]


def _same_decade(value: str, year: int | None) -> bool:
    """`1990s`, `1990년대` and `1994` are all the nineties."""
    found = _YEAR.search(value)
    return year is not None and found is not None and int(found.group()) // 10 == year // 10


def _stands_in(words: str, item: Item) -> bool:
    values = [fact.partition(": ")[2] for fact in item.stated]
    told = " . ".join((item.title, *item.categories, item.description, *values))
    if (_HANGUL.search(words) or _HANGUL.search(told)) and not is_installed("kiwipiepy"):
        return all(word in _folded(told) for word in _folded(words).split())
    wanted = content_words(words)
    return bool(wanted.all) and wanted.all <= wanted.standing_in(content_words(told))


def _folded(text: str) -> str:
    return unicodedata.normalize("NFKC", text).casefold()
