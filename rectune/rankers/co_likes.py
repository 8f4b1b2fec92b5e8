"""Who liked one item and also another: the evidence that likes give for a recommendation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from rectune.rankers.domain_data import TrainLikes

FEWEST = 3  # people who are counted together: fewer would tell of single persons
_LATEST = 100  # items of a history that are looked at


@dataclass(frozen=True)
class CoLike:
    """`both` of the `liked` people who liked the item `item_id` liked another one, too."""

    item_id: str
    liked: int
    both: int


class CoLikes:
    """The people who liked each item, as numbers.

    Args:
        item_ids: the items.
        users: [likes] the numbers of the people, from 0, those of each item together, each once.
        bounds: [items + 1] where the people of an item begin in `users`, and where the last ones end.
    """

    def __init__(self, item_ids: Sequence[str], users: NDArray[np.int32], bounds: NDArray[np.int64]) -> None:
        self.item_ids, self.users, self.bounds = tuple(item_ids), users, bounds

    @classmethod
    def of(cls, likes: TrainLikes) -> CoLikes:
        """Those of train users."""
        by_item = likes.matrix.tocsc()
        return cls(likes.item_ids, by_item.indices.astype(np.int32), by_item.indptr.astype(np.int64))

    def of_items(self, item_ids: Sequence[str]) -> CoLikes:
        """The same people, of these items; nobody liked one that is not here."""
        place = {item: at for at, item in enumerate(self.item_ids)}
        people = [
            self.users[self.bounds[place[item]] : self.bounds[place[item] + 1]]
            if item in place
            else self.users[:0]
            for item in item_ids
        ]
        bounds = np.cumsum([0, *map(len, people)], dtype=np.int64)
        return CoLikes(item_ids, np.concatenate([self.users[:0], *people]), bounds)

    @property
    def counts(self) -> NDArray[np.int64]:
        """[items] how many people liked each item."""
        return np.diff(self.bounds)

    def strongest(self, history: Sequence[str], item_ids: Sequence[str]) -> list[CoLike | None]:
        """For each item the item of the history that it is most often liked together with.

        That is the one with the highest cosine, users of both / sqrt(users of one * users of the other). At
        least `FEWEST` people like both, and of those who like the one a larger share likes the other than of
        all people; None where no item of the history is such. The latest 100 items of the history are looked
        at; of equal ones the latest is taken.
        """
        past = [item for item in dict.fromkeys(reversed(history)) if item in self._place][:_LATEST]
        return [self._strongest([one for one in past if one != item], item) for item in item_ids]

    def _strongest(self, past: Sequence[str], item: str) -> CoLike | None:
        own = self._of(item)
        if len(own) < FEWEST:
            return None
        there = np.zeros(self._people, np.bool_)
        there[own] = True
        counts = [(len(people := self._of(one)), int(np.count_nonzero(there[people]))) for one in past]
        found = [CoLike(one, liked, both) for one, (liked, both) in zip(past, counts, strict=True)]
        enough = [
            one for one in found if one.both >= FEWEST and one.both * self._people > one.liked * len(own)
        ]
        return max(enough, key=lambda one: one.both / one.liked**0.5, default=None)

    def _of(self, item: str) -> NDArray[np.int32]:
        """The people who liked an item."""
        at = self._place.get(item)
        return self.users[:0] if at is None else self.users[self.bounds[at] : self.bounds[at + 1]]

    @cached_property
    def _place(self) -> dict[str, int]:
        return {item: at for at, item in enumerate(self.item_ids)}

    @cached_property
    def _people(self) -> int:
        return int(self.users.max(initial=-1)) + 1
