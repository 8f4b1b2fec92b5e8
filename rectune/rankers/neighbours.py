"""Item-kNN: what those liked who liked what is in the history."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from rectune.rankers.base import Scores
from rectune.rankers.domain_data import Codes, DomainData, TrainLikes
from rectune.rankers.baselines import LAST


@dataclass(frozen=True)
class ItemKnn:
    """Sum over the last items of the history of their cosine with the candidate, over train users' likes.

    cos(i, j) = users who liked both / sqrt(users of i * users of j) (Sarwar et al. 2001, "Item-based collaborative
    filtering recommendation algorithms", 3.1.1, on likes). No neighbours are cut off. An item that nobody liked scores zero.
    """

    likes: TrainLikes = field(repr=False)
    last: int = LAST
    name: str = "item_knn"

    @classmethod
    def of(cls, domain_data: DomainData) -> ItemKnn:
        """See `rectune.rankers.base.open_ranker`."""
        return cls(domain_data.likes)

    def score(self, histories: Sequence[Sequence[str]], candidates: Sequence[Sequence[str]]) -> list[Scores]:
        """See `Ranker.score`."""
        place = self.likes.place
        found: list[Scores] = []
        for history, shown in zip(histories, candidates, strict=True):
            alike = self._alike([place[item] for item in history[-self.last :] if item in place])
            found.append(np.array([alike[place[item]] if item in place else 0.0 for item in shown]))
        return found

    def _alike(self, history: Sequence[int]) -> Scores:
        """[items] the sum of each item's cosines with those of the history."""
        users_of, items_of = self._lists
        norms = np.sqrt(np.maximum(self.likes.counts, 1))
        total = np.zeros(len(norms))
        for at in history:
            together = np.bincount(items_of.of_all(users_of.at(at)), minlength=len(norms))
            total += together / norms[at]
        return total / norms

    @cached_property
    def _lists(self) -> tuple[_Lists, _Lists]:
        """The users of each item, and the items of each user."""
        likes = self.likes
        users = int(likes.users.max(initial=-1)) + 1
        return (
            _lists(likes.items, likes.users, len(likes.item_ids)),
            _lists(likes.users, likes.items, users),
        )


@dataclass(frozen=True)
class _Lists:
    """Values by key: those of key k are values[bounds[k]:bounds[k + 1]]."""

    values: Codes
    bounds: Codes

    def at(self, key: int) -> Codes:
        return self.values[self.bounds[key] : self.bounds[key + 1]]

    def of_all(self, keys: Codes) -> Codes:
        """The values of several keys, one after the other."""
        starts, lengths = self.bounds[keys], self.bounds[keys + 1] - self.bounds[keys]
        ends = np.cumsum(lengths)
        found: Codes = self.values[
            np.repeat(starts - ends + lengths, lengths) + np.arange(int(lengths.sum()))
        ]
        return found


def _lists(keys: Codes, values: Codes, count: int) -> _Lists:
    order = np.argsort(keys, kind="stable")
    bounds = np.concatenate(([0], np.cumsum(np.bincount(keys, minlength=count))))
    return _Lists(values[order], bounds)
