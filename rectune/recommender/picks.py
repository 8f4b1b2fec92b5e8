"""Which items somebody new is asked about, so that few answers tell much of what they like.

Asked about is what a person probably knows and whose answer would tell most of the other items: the expected
reduction of the uncertainty about all items, weighed by how probable each is for this person (A-optimal
design; MacKay 1992, "Information-based objective functions for active data selection"). It takes the place of
the popularity times entropy of Rashid et al. 2002, "Getting to know you". An answer about one cluster leaves
little to learn there, so the items spread; what is liked makes its neighbours more probable, so they follow.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rectune.recommender.answering import CatalogueAnswers
from rectune.recommender.item_space import ItemSpace, space_of_items, space_of_likes

Floats = NDArray[np.float64]

SHOWN = 12  # items that are asked about at a time
_NOISE = 0.25  # variance of an answer, where that of an item's own is at most 1
_PRIOR = 5.0  # likes that every item gets besides, so that a few more of it tell little
_COMPARED = 400  # items, at most, that are compared for each place
_SHRINK = 10.0


@dataclass(frozen=True)
class Marks:
    """What a person has said of items, by their ids.

    Attributes:
        liked: what they like.
        others: what they know without liking it.
    """

    liked: Sequence[str] = ()
    others: Collection[str] = ()


class ItemPicks:
    """Chooses what to ask about. Made once for a catalogue; any thread may use it.

    Args:
        space: where the items lie, and who liked them.
    """

    @classmethod
    def of(cls, recommender: CatalogueAnswers) -> ItemPicks:
        """Of the catalogue of a recommender: by what people like, where that is known."""
        if recommender.likes is not None:
            return cls(space_of_likes(recommender.likes, tuple(recommender.items)))
        return cls(space_of_items(list(recommender.items.values()), recommender.ranker))

    @property
    def item_ids(self):
        return self._space.item_ids

    def __init__(self, space: ItemSpace, *, adaptive=True, design=True, follow=4.0, noise=_NOISE, power=1.0) -> None:
        self._space = space
        self.adaptive, self.design, self.follow, self.noise, self.power = adaptive, design, follow, noise, power
        self.place = {item: at for at, item in enumerate(space.item_ids)}
        vectors = space.vectors
        self._alone = np.einsum("ij,ij->i", vectors @ (vectors.T @ vectors) / max(1, len(vectors)), vectors)
        likes = space.likes
        self._counts = np.zeros(len(self.place)) if likes is None else np.asarray(likes.sum(axis=0))
        self._columns = None if likes is None else likes.tocsc()
        self._by_item = None if likes is None else likes.T.tocsr()

    def choose(
        self, marks: Marks, count: int, besides: Iterable[str] = (), stored: Mapping[str, int] | None = None,
        shown: Iterable[str] = (),
    ) -> list[str]:
        """The items to ask about next, the most telling first; the same for the same arguments.

        Args:
            marks: what was said so far.
            count: how many; fewer where there are no more.
            besides: ids that are not asked about: those that were shown before, or must not be.
            stored: id -> how many people like it besides those that the catalogue was made with.
            shown: ids that wait for an answer at the same time.
        """
        known = self._known(stored or {})
        probable = self._probable(known, marks)
        able = np.ones(len(known), np.bool_)
        able[self._places([*marks.liked, *marks.others, *besides, *shown])] = False
        places = np.flatnonzero(able)
        if not self.design:
            order = places[np.argsort(-probable[places], kind="stable")][:count]
            return [self._space.item_ids[at] for at in order]
        precision = np.eye(self._space.vectors.shape[1])
        for at in self._places([*marks.liked, *marks.others]):
            precision += self._of_answer(at, 1.0)
        for at in self._places(shown):
            precision += self._of_answer(at, float(probable[at]))
        covariance = np.linalg.inv(precision)
        weight = probable / probable.sum()
        vectors = self._space.vectors
        importance = (vectors * weight[:, None]).T @ vectors
        if len(places) > _COMPARED:
            rough = (probable * self._alone)[places]
            places = np.sort(places[np.argsort(-rough, kind="stable")[:_COMPARED]])
        found = []
        while len(found) < count and len(places):
            gains = self._gains(places, probable, covariance, importance)
            best = int(np.argmax(gains))
            at = int(places[best])
            found.append(at)
            places = np.delete(places, best)
            share = float(probable[at])
            half = covariance @ vectors[at]
            covariance = covariance - np.outer(half, half) * share / (self.noise + share * vectors[at] @ half)
        return [self._space.item_ids[at] for at in found]

    def _gains(self, places, probable, covariance, importance):
        rows = self._space.vectors[places]
        spread = rows @ covariance
        own = np.einsum("ij,ij->i", spread, rows)
        reduced = np.einsum("ij,ij->i", spread @ importance, spread)
        return probable[places] ** self.power * (reduced + 1e-9) / (self.noise + own)

    def _of_answer(self, at: int, share: float) -> Floats:
        own = self._space.vectors[at]
        return np.outer(own, own) * share / self.noise

    def _known(self, stored: Mapping[str, int]) -> Floats:
        """[items] how probable it is that somebody knows an item, up to a factor: at most 1."""
        counts = self._counts.copy()
        for item, likes in stored.items():
            if item in self.place:
                counts[self.place[item]] += likes
        return (counts + _PRIOR) / (counts.max(initial=0.0) + _PRIOR)

    def _probable(self, known: Floats, marks: Marks) -> Floats:
        """[items] the same for a person of these marks."""
        liked = self._places(marks.liked)
        if not liked or not self.adaptive:
            return known
        if self._by_item is None:
            near = np.clip(self._space.vectors @ self._space.vectors[liked].T, 0, None).mean(axis=1)
            return known * (1 + self.follow * near) / (1 + self.follow)
        share = self._counts / max(1, self._space.likes.shape[0])
        each = 1 / (self._counts[liked] + _SHRINK)
        people = self._columns[:, liked] @ each
        found = self._by_item @ people + share * _SHRINK * each.sum()
        found = found / len(liked) + _PRIOR / max(1, self._space.likes.shape[0])
        return found / found.max()

    def _places(self, item_ids: Iterable[str]) -> list[int]:
        return [self.place[item] for item in item_ids if item in self.place]
