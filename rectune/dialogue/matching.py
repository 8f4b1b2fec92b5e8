"""Which items a claim speaks of, by what the catalogue says of them: no model is asked."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from collections.abc import Set as AbstractSet
from typing import Any

from rectune.core.types import Item
from rectune.dialogue.findings import trait_of
from rectune.dialogue.knowledge import Claim
from rectune.dialogue.said import TASTE
from rectune.dialogue.traits import CatalogueTraits, Trait, decade_of, traits_and_terms
from rectune.prompts.genre_names import other_names

_YEAR = re.compile(r"\d{4}")


def claim_matches(claim: Claim, item: Item) -> bool:
    """Whether an item has what a claim speaks of, liked or avoided.

    A category, a maker and a fact are compared whole, case aside, a decade by the item's year. A `word` or a
    `taste` matches where all its words that say something stand in the catalogue's text of the item, English
    ones by their stems, Korean ones by their morphemes, or where it is one of its categories or makers. A
    category is also met by its name in the other language (공포, Horror).
    """
    return share_met(claim, *traits_and_terms(item)) >= 1


def shares_met(claim: Claim, catalogue: CatalogueTraits, item_ids: Collection[str]) -> list[float]:
    """How far each of these items of a catalogue has what a claim speaks of; see `share_met`."""
    if not _by_words(claim):
        holders = frozenset[str]().union(*map(catalogue.having, _traits(claim)))
        return [float(item in holders) for item in item_ids]
    own, terms, nothing = catalogue.of_item, catalogue.terms, frozenset[Any]()
    return [share_met(claim, own.get(item, nothing), terms.get(item, nothing)) for item in item_ids]


def share_met(claim: Claim, traits: AbstractSet[Trait], terms: AbstractSet[str]) -> float:
    """How far an item has what a claim speaks of, from 0 to 1: of a `taste` the share of its words.

    Args:
        claim: of anybody.
        traits, terms: of the item; see `CatalogueTraits`.
    """
    if not _by_words(claim):
        return float(not _traits(claim).isdisjoint(traits))
    value = claim.value.strip().casefold()
    if not _named(value).isdisjoint(traits) or ("maker", value) in traits:
        return 1.0
    words = claim.terms
    share = len(words & terms) / len(words) if words else 0.0
    return share if claim.aspect == TASTE else float(share == 1)


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


def _by_words(claim: Claim) -> bool:
    """Whether a claim speaks of words, which are looked for in an item's text."""
    return claim.aspect in (TASTE, "word")


def _traits(claim: Claim) -> frozenset[Trait]:
    """The traits that a claim speaks of, any of which will do: `1990s`, `1990년대` and `1994` are all the
    nineties; a category has names in two languages.
    """
    aspect, value = trait_of(claim)
    if aspect == "decade" and (found := _YEAR.search(value)):
        return frozenset({(aspect, decade_of(int(found.group())))})
    value = value.strip().casefold()
    return _named(value) if aspect == "category" else frozenset({(aspect, value)})


def _named(value: str) -> frozenset[Trait]:
    """The categories of a name, and of its names in the other language; case aside."""
    return frozenset(("category", one.casefold()) for one in (value, *other_names(value)))
