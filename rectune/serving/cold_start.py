"""What is recommended to somebody of whom nothing is known: what is popular, else the catalogue's order."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace

from rectune.core.types import Item, Locale
from rectune.rankers.base import ScoredItem
from rectune.rankers.co_likes import FEWEST, CoLikes
from rectune.recommender.evidence import Evidence
from rectune.recommender.explanation_request import ExplanationRequest
from rectune.recommender.explanations import plain_sentence
from rectune.recommender.options import Reorder
from rectune.recommender.results import Recommendations, RecommendedItem
from rectune.recommender.selection import allowed_ids
from rectune.serving.conditions import Conditions

TASTES, ATTRIBUTES, POPULAR, IN_ORDER = "tastes", "attributes", "popular", "catalogue_order"


@dataclass(frozen=True)
class Popularity:
    """How many people like each item; those of a run and those of the store are counted apart and added."""

    counts: Mapping[str, int]

    @classmethod
    def of(cls, likes: CoLikes | None, stored: Mapping[str, int]) -> Popularity:
        """By the likes that the recommender learned from, and those of the store.

        Args:
            likes: of the run; None for none.
            stored: item id -> users.
        """
        found = Counter(stored)
        if likes is not None:
            found.update(dict(zip(likes.item_ids, likes.counts.tolist(), strict=True)))
        return cls(found)

    def best(
        self, items: Mapping[str, Item], left_out: frozenset[str], wanted: Conditions, last: frozenset[str]
    ) -> tuple[list[str], str]:
        """The ids that may be recommended, the best first, and by what strategy.

        Args:
            items: the catalogue, by id.
            left_out: ids that are not recommended.
            wanted: conditions.
            last: ids that come after all others.

        Raises:
            UserError: no item meets the conditions.
        """
        met = allowed_ids(list(items.values()), wanted.where)
        able = [
            item
            for item in items
            if item not in left_out
            and (met is None or item in met)
            and (wanted.within is None or item in wanted.within)
        ]
        found = sorted(able, key=lambda item: (item in last, -self.counts.get(item, 0)))
        liked = any(self.counts.get(item) for item in items)
        return found, POPULAR if liked else IN_ORDER

    def answer(
        self, items: Mapping[str, Item], left_out: frozenset[str], wanted: Conditions, last: frozenset[str],
        n: int, reasons: int, locale: Locale, reorder: Reorder | None = None,
    ) -> tuple[Recommendations, str]:  # fmt: skip
        """The best n items, and by what strategy; the first `reasons` get a sentence. See `best`.

        `reorder` re-orders them before the first n are taken.

        Raises:
            UserError: no item meets the conditions.
        """
        ids, strategy = self.best(items, left_out, wanted, last)
        if reorder:
            scored = [ScoredItem(item, float(self.counts.get(item, 0))) for item in ids]
            ids = [one.item_id for one in reorder.items(scored)]
        found = (self.shown(items[item], locale, at < reasons) for at, item in enumerate(ids[:n]))
        return Recommendations(tuple(found)), strategy

    def shown(self, item: Item, locale: Locale, reason: bool) -> RecommendedItem:
        """An item of the answer; how many like it is said where they are at least `FEWEST`."""
        count = self.counts.get(item.item_id, 0)
        evidence = None
        if count >= FEWEST:
            text = f"{count:,}명이 좋아했습니다" if locale == "ko" else f"{count:,} people like it"
            evidence = Evidence("likes", text, liked=count)
        words = plain_sentence(ExplanationRequest(item, (), "", locale)) if reason else ""
        found = RecommendedItem(item.item_id, item.title, float(count), evidence=evidence)
        return replace(found, reason=words, reason_by="template") if words else found
