"""Rankers for a catalogue that has changed since they were fitted."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import copy
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn, Self, cast

import numpy as np

from rectune.rankers.base import INTERACTION_FREE, Attributes, CatalogueRanker, Ranker, Scores
from rectune.rankers.choice import TextScorer
from rectune.rankers.chosen import ChosenRanker
from rectune.rankers.fusion import Hybrid
from rectune.rankers.weighting import standardised_rows

if TYPE_CHECKING:
    from rectune.rankers.domain_data import DomainData


def with_items(ranker: Ranker, data: DomainData) -> Ranker:
    """A fitted ranker for other items of its domain.

    One that needs no interactions is fitted on the items. Of a choice each part is treated by itself, and its
    weights stay as they were measured; whoever goes by the number of an item's likes finds none of a new one.
    One that learned of texts too scores new items by theirs (`Ranker.of_items`). Any other ranker
    scores the items that it knows as before, and new ones by `NewItems`.

    Args:
        ranker: fitted; it is not changed.
        data: the items of the catalogue.
    """
    return _with_items(ranker, data, cache(lambda: Hybrid().fit(data)))


def _with_items(ranker: Ranker, data: DomainData, content: Callable[[], Hybrid]) -> Ranker:
    if isinstance(ranker, ChosenRanker):
        parts = {name: _with_items(one, data, content) for name, one in ranker.rankers.items()}
        return ChosenRanker().of(ranker.choice, parts, ranker.co_likes.of_items(tuple(data.items)))
    if ranker.name in INTERACTION_FREE:
        return content() if isinstance(ranker, Hybrid) else _fresh(ranker).fit(data)
    if tuple(ranker.item_ids) == tuple(data.items):
        return ranker
    return ranker.of_items(data) or NewItems(ranker, content())


class NewItems(CatalogueRanker):
    """A ranker that learned from likes, for a catalogue with items that it does not know.

    Those it knows are scored as before. A new one gets the score that lies as many standard deviations above
    the mean of the known items as `hybrid` puts it above the mean of the whole catalogue: by its content it
    stands where it would stand among all. Where `hybrid` tells nothing apart that is the mean. Items that
    the ranker knows and the catalogue lacks are not ranked.

    Args:
        known: the fitted ranker.
        content: fitted on the items of the catalogue.
    """

    def __init__(self, known: Ranker, content: Hybrid) -> None:
        self.name, self._known, self.content = known.name, known, content
        self.item_ids = tuple(content.item_ids)
        places = [known.place.get(item, -1) for item in self.item_ids]
        self._from = np.array(places, np.int64)
        self._new = self._from < 0

    def score_all(self, histories: Sequence[Sequence[str]]) -> Scores:
        """See `Ranker.score_all`."""
        return self.score_users(histories, [{}] * len(histories))

    @property
    def attributes_known(self) -> frozenset[str]:
        """See `Ranker.attributes_known`."""
        return self._known.attributes_known

    def score_users(self, histories: Sequence[Sequence[str]], attributes: Sequence[Attributes]) -> Scores:
        """See `Ranker.score_users`."""
        own = self._known.score_users(histories, attributes)
        return self._with_new(own, lambda: self.content.score_all(histories))

    def score_texts(self, texts: Sequence[str]) -> Scores:
        """[len(texts), items] the same for words, where the ranker scores these."""
        own = cast(TextScorer, self._known).score_texts(texts)
        return self._with_new(own, lambda: self.content.score_texts(texts))

    def _with_new(self, own: Scores, content: Callable[[], Scores]) -> Scores:
        """[n, items] the scores of known items, [n, known], and those of new ones by their content."""
        scores: Scores = np.asarray(own, np.float64)[:, np.maximum(self._from, 0)]
        if self._new.any():
            finite = np.ma.masked_invalid(own)
            mean, deviation = finite.mean(axis=1).filled(0.0), finite.std(axis=1).filled(0.0)
            above = standardised_rows(content())[:, self._new]
            scores[:, self._new] = mean[:, None] + deviation[:, None] * above
        return scores

    def fit(self, data: DomainData) -> NoReturn:
        """It is made of fitted rankers: see `with_items`."""
        raise NotImplementedError("see rectune.rankers.new_items.with_items")

    def save(self, folder: Path) -> NoReturn:
        """What it is made of is saved, not itself."""
        raise NotImplementedError("save the ranker that it is made of")

    @classmethod
    def load(cls, folder: Path) -> Self:
        """It is never saved."""
        raise NotImplementedError("load the ranker that it is made of")


def _fresh(ranker: Ranker) -> Ranker:
    """The same settings, to be fitted anew: what was derived from the old items is forgotten."""
    other = copy(ranker)
    for kind in type(other).__mro__:
        for name, value in vars(kind).items():
            if isinstance(value, cached_property):
                other.__dict__.pop(name, None)
    return other
