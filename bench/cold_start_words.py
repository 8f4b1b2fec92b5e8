"""What a person would say of their taste, made of their history by code: for `bench.cold_start`.

The categories that are more frequent in a history than in the catalogue, by standard deviations of what
chance explains, and one decade if it is so clearly: "I like horror and science fiction films of the 1980s."
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from rectune.core.types import Item
from rectune.prompts.locale_words import load_words
from rectune.rankers.base import Scores
from rectune.rankers.fusion import Hybrid
from rectune.rankers.weighting import standardised_rows

MOST = 3  # categories that are said
_LEAST = 2  # items that have a category which is said, unless the history is shorter
_DECADE = 2.0  # standard deviations from which on a decade is said


class Taste(NamedTuple):
    """What is said: categories, the strongest first, and a decade as 1980."""

    categories: tuple[str, ...]
    decade: int | None

    def sentence(self, nouns: str) -> str:
        """The taste in words; empty where there is nothing to say."""
        if not self.categories and self.decade is None:
            return ""
        *first, last = [name.lower() for name in self.categories] or [""]
        listed = f"{', '.join(first)} and {last}" if first else last
        when = f" of the {self.decade}s" if self.decade is not None else ""
        return f"I like {listed} {nouns}{when}.".replace("  ", " ")


class TasteFinder:
    """Finds the taste of histories.

    Args:
        items: the whole catalogue, of one domain.
    """

    def __init__(self, items: Mapping[str, Item]) -> None:
        self._items = items
        self._categories = Counter(name for item in items.values() for name in set(item.categories))
        self._decades = Counter(_decade(item) for item in items.values())
        domain = next(iter(items.values())).domain
        kinds = load_words("en")["kinds"]
        self._nouns: str = kinds.get(domain, kinds["other"])["nouns"]

    def taste(self, history: Sequence[str]) -> Taste:
        """What the items of a history have more often than the catalogue; unknown ids are left out."""
        own = [self._items[one] for one in dict.fromkeys(history) if one in self._items]
        least = min(_LEAST, len(own))
        found = Counter(name for item in own for name in set(item.categories))
        strength = self._above(found, self._categories, len(own))
        able = [name for name in strength if strength[name] > 0 and found[name] >= least]
        named = tuple(sorted(able, key=lambda name: (-strength[name], name))[:MOST])
        when = Counter(_decade(item) for item in own)
        above = self._above(when, self._decades, len(own))
        clear = {one: z for one, z in above.items() if one is not None and when[one] >= least}
        decade = max(clear, key=lambda one: (clear[one], one), default=None)
        return Taste(named, decade if decade is not None and clear[decade] >= _DECADE else None)

    def sentence(self, history: Sequence[str]) -> str:
        """What a person with this history would say; empty where there is nothing to say."""
        return self.taste(history).sentence(self._nouns)

    def _above(self, found: Mapping[Any, int], every: Mapping[Any, int], drawn: int) -> dict[Any, float]:
        """By how many standard deviations each count is above that of so many items drawn at random."""
        shares = {one: every[one] / len(self._items) for one in found}
        return {
            one: (found[one] - drawn * share) / math.sqrt(drawn * share * (1 - share))
            for one, share in shares.items()
            if share < 1
        }


class HybridOfSentence(Hybrid):
    """`hybrid` that is told the sentence in place of the history, or both.

    Args:
        tastes: makes the sentences.
        history_weight: of the ranking by the history beside that by the sentence, both standardised.
    """

    def __init__(self, tastes: TasteFinder, history_weight: float = 0.0) -> None:
        self._tastes, self._history_weight = tastes, history_weight

    def score_all(self, histories: Sequence[Sequence[str]]) -> Scores:
        """See `Ranker.score_all`."""
        said = self.score_texts([self._tastes.sentence(history) for history in histories])
        if not self._history_weight:
            return said
        past = standardised_rows(super().score_all(histories))
        both: Scores = self._history_weight * past + (1 - self._history_weight) * standardised_rows(said)
        return both


def _decade(item: Item) -> int | None:
    return None if item.year is None else item.year // 10 * 10
