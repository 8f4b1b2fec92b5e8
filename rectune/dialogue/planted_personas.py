"""Planted personas: made-up people of whom it is known, by construction, which items of a catalogue suit."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from rectune.core.errors import UserError
from rectune.core.item_values import categories_of
from rectune.core.rng import generator_of
from rectune.core.stats.metrics import UserBootstrap, area_under_curve
from rectune.core.types import Item, Locale, content_id
from rectune.dialogue.knowledge import Claim, Stance
from rectune.prompts.rerank_prompts import claim_words

ITEMS = 2  # own items of a person, and as many foreign ones
_ROUNDS = 2000  # of the bootstrap


@dataclass(frozen=True)
class PlantedPersona:
    """A person who likes one category and, where the catalogue allows it, avoids another.

    Attributes:
        claims: what is known of them.
        own: items of the category that they like, and not of the other.
        foreign: items that are not of the category that they like, the first of that which they avoid.
    """

    claims: tuple[Claim, ...]
    own: tuple[Item, ...]
    foreign: tuple[Item, ...]


@dataclass(frozen=True)
class Discrimination:
    """How surely scores tell own items from foreign ones.

    Attributes:
        auc: the probability that an own item scores above a foreign one of the same person, ties half; one
            half is chance.
        interval: of 95 %, by a bootstrap over persons.
        persons: how many were asked about.
    """

    auc: float
    interval: tuple[float, float]
    persons: int


def planted_personas(items: Sequence[Item], locale: Locale, count: int, seed: int) -> list[PlantedPersona]:
    """So many persons, drawn from the categories of a catalogue.

    Args:
        items: at least two of some category, and two that are not of it.
        locale: of the claims.
        count: of persons; categories take turns.
        seed: the same one gives the same persons.

    Raises:
        UserError: no category has two items and leaves two others.
    """
    having = defaultdict[str, set[int]](set)
    for at, item in enumerate(items):
        for category in categories_of(item):
            having[category].add(at)
    able = sorted(
        one for one, places in having.items() if len(places) >= ITEMS and len(items) - len(places) >= ITEMS
    )
    if not able:
        raise UserError(
            f"no category has {ITEMS} items and leaves {ITEMS} others: no persona can be planted",
            hint="give a catalogue with categories",
        )
    rng = generator_of("planted personas", seed)
    order = [able[at] for at in rng.permutation(len(able))]
    return [_planted(items, having, order[at % len(order)], locale, rng) for at in range(count)]


def _planted(
    items: Sequence[Item],
    having: Mapping[str, set[int]],
    liked: str,
    locale: Locale,
    rng: np.random.Generator,
) -> PlantedPersona:
    others = set(range(len(items))) - having[liked]
    # What can be avoided has an item outside of the liked category, and leaves enough inside.
    rivals = sorted(
        one
        for one, places in having.items()
        if one != liked and places & others and len(having[liked] - places) >= ITEMS
    )
    avoided = rivals[int(rng.integers(len(rivals)))] if rivals else ""
    against = having[avoided] if avoided else set[int]()
    own = _drawn(having[liked] - against, ITEMS, rng)
    first = _drawn(others & against, 1, rng)
    foreign = [*first, *_drawn(others - set(first), ITEMS - len(first), rng)]
    shown = {key: name for at in (*own, *foreign) for key, name in categories_of(items[at]).items()}
    claims = [_claim("likes", shown[liked], locale)]
    if avoided:
        claims.append(_claim("avoids", shown[avoided], locale))
    return PlantedPersona(tuple(claims), tuple(items[at] for at in own), tuple(items[at] for at in foreign))


def _drawn(places: set[int], count: int, rng: np.random.Generator) -> list[int]:
    every = sorted(places)
    return [every[at] for at in rng.permutation(len(every))[:count]]


def _claim(stance: Stance, value: str, locale: Locale) -> Claim:
    text = claim_words(stance, value, locale)
    return Claim(content_id("claim", stance, "category", value), stance, "category", value, text=text)


def discrimination(scores: Sequence[tuple[Sequence[float], Sequence[float]]]) -> Discrimination:
    """How surely scores tell own items from foreign ones.

    Args:
        scores: by person those of the own items and those of the foreign ones.
    """
    areas = [
        float(np.mean([area_under_curve(np.array([one, *foreign]), 0) or 0.0 for one in own]))
        for own, foreign in scores
    ]
    bootstrap = UserBootstrap([str(at) for at in range(len(areas))], _ROUNDS, 0)
    return Discrimination(float(np.mean(areas)), bootstrap.interval(areas), len(areas))
