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
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from rectune.recommender.item_space import ItemSpace, space_of_items, space_of_likes

if TYPE_CHECKING:
    from rectune.recommender.answering import CatalogueAnswers

Floats = NDArray[np.float64]

SHOWN = 12  # items that are asked about at a time
_NOISE = 0.25  # variance of an answer, where that of what is asked about is 1 at most
_PRIOR = 5.0  # likes that every item gets besides, so that one more tells little
_FEW = 10.0  # people up to whom those who like an item count less than all people
_FOLLOW = 4.0  # how much more probable the nearest neighbours of what is liked are, by vectors alone
_COMPARED = 400  # items, at most, that are compared for each place


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

    Attributes:
        item_ids: of the catalogue, in its order.
        place: item id -> its place among them.
    """

    def __init__(self, space: ItemSpace) -> None:
        self._vectors = vectors = space.vectors
        self.item_ids = space.item_ids
        self.place = {item: at for at, item in enumerate(space.item_ids)}
        self._middle = vectors.T @ vectors / max(1, len(vectors))
        self._alone = np.einsum("ij,ij->i", vectors @ self._middle, vectors)  # [items] what each tells of all
        self._counts = np.zeros(len(vectors))
        self._people = 0
        if space.likes is not None:
            self._people = space.likes.shape[0]
            self._counts = np.asarray(space.likes.sum(axis=0), np.float64)
            self._by_item, self._by_person = space.likes.T.tocsr(), space.likes.tocsc()

    @classmethod
    def of(cls, recommender: CatalogueAnswers) -> ItemPicks:
        """Of a recommender's catalogue: by who likes what where that is known, else by what items are."""
        items = list(recommender.items.values())
        if recommender.likes is not None and len(recommender.likes.users):
            return cls(space_of_likes(recommender.likes, tuple(recommender.items)))
        return cls(space_of_items(items, recommender.ranker))

    def choose(
        self,
        marks: Marks,
        count: int,
        *,
        besides: Iterable[str] = (),
        shown: Iterable[str] = (),
        stored: Mapping[str, int] | None = None,
    ) -> list[str]:
        """The items to ask about next, the most telling first; the same for the same arguments.

        Args:
            marks: what was said so far.
            count: how many; fewer come where there are no more.
            besides: ids that are not asked about.
            shown: ids that wait for an answer while the others are asked about.
            stored: id -> how many people like it, besides those of the space.
        """
        answered, waiting = self._places([*marks.liked, *marks.others]), self._places(shown)
        able = np.ones(len(self.item_ids), np.bool_)
        able[[*answered, *waiting, *self._places(besides)]] = False
        probable = self._probable(self._places(marks.liked), stored or {})
        places = np.flatnonzero(able)
        if len(places) > _COMPARED:
            rough = (probable * self._alone)[places]
            places = np.sort(places[np.argsort(-rough, kind="stable")[:_COMPARED]])
        importance = (self._vectors * (probable / probable.sum())[:, None]).T @ self._vectors
        covariance = np.eye(self._vectors.shape[1])
        for at in answered:
            covariance = self._after(covariance, at, 1.0)
        for at in waiting:
            covariance = self._after(covariance, at, float(probable[at]))
        found: list[int] = []
        while len(found) < count and len(places):
            gains = probable[places] * self._told(places, covariance, importance)
            best = int(np.argmax(gains))
            found.append(int(places[best]))
            covariance = self._after(covariance, found[-1], float(probable[found[-1]]))
            places = np.delete(places, best)
        return [self.item_ids[at] for at in found]

    def _told(self, places: NDArray[np.int64], covariance: Floats, importance: Floats) -> Floats:
        """[places] by how much an answer lowers the variance of all items, by their importance."""
        rows = self._vectors[places]
        spread = rows @ covariance
        lowered = np.einsum("ij,ij->i", spread @ importance, spread)
        result: Floats = (lowered + 1e-9) / (_NOISE + np.einsum("ij,ij->i", spread, rows))
        return result

    def _after(self, covariance: Floats, at: int, share: float) -> Floats:
        """The covariance after the answer about an item; `share` is how probable it is that it comes."""
        told = covariance @ self._vectors[at]
        scale = share / (_NOISE + share * float(self._vectors[at] @ told))
        result: Floats = covariance - scale * np.outer(told, told)
        return result

    def _probable(self, liked: Sequence[int], stored: Mapping[str, int]) -> Floats:
        """[items] how probable it is that somebody who likes these knows an item; the most probable is 1."""
        counts = self._counts.copy()
        for item, likes in stored.items():
            if item in self.place:
                counts[self.place[item]] += likes
        known: Floats = (self._liked_with(liked, counts) if liked and self._people else counts) + _PRIOR
        if liked and not self._people:
            near = np.clip(self._vectors @ self._vectors[list(liked)].T, 0, None).mean(axis=1)
            known *= 1 + _FOLLOW * near
        result: Floats = known / known.max(initial=1.0)
        return result

    def _liked_with(self, liked: Sequence[int], counts: Floats) -> Floats:
        """[items] how many would like an item if all were like those who like these; few are drawn to all."""
        each = 1 / (self._counts[list(liked)] + _FEW)
        together = self._by_item @ (self._by_person[:, list(liked)] @ each)
        result: Floats = (self._people * together + _FEW * each.sum() * counts) / len(liked)
        return result

    def _places(self, item_ids: Iterable[str]) -> list[int]:
        return [self.place[item] for item in item_ids if item in self.place]
