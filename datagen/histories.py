"""Users' histories in order, and which of their items become targets.

Nothing in a history is later than its target. Where times are published, no training target is later than any
test target.
"""

from __future__ import annotations

import itertools
import typing
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rectune.core.types import Split
from rectune.datagen.negatives import SeenItems
from rectune.datagen.rng import hashes64, mixed
from rectune.datagen.splits import SplitRules, first_likes

if typing.TYPE_CHECKING:
    import numpy as np
    import polars as pl
    from numpy.typing import NDArray

    Items = NDArray[np.uint32]
    Times = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class UserHistory:
    """One user's history and targets.

    `history` and `targets` are liked items by code, each at its first like, oldest first (in a seeded order
    without times), with their times (milliseconds since 1970, all 0 without times); both are the same unless
    `crossing` (history in
    one domain, targets in another). `user` is the code in the targets' domain.
    """

    user_id: str
    user: int
    history: Items
    history_times: Times
    targets: Items
    target_times: Times
    crossing: bool = False

    def before(self, place: int) -> int:
        """The number of items of `history` before the target at `place`."""
        if not self.crossing:
            return place
        return int(self.history_times.searchsorted(self.target_times[place], side="right"))


@dataclass(frozen=True)
class UserHistories:
    """Some users, and all items of the targets' domain that they interacted with."""

    persons: list[UserHistory]
    touched: SeenItems


def user_histories(interactions: pl.LazyFrame, users: pl.DataFrame, rules: SplitRules) -> UserHistories:
    """The histories of some users in one domain.

    Args:
        interactions: columns user, item, timestamp, liked, sorted by user and time.
        users: columns user (code) and user_id; the result is in their order.
    """
    own = _of(interactions, users, rules.ordered)
    likes = _likes(own, users, rules)
    persons = [
        UserHistory(user_id, code, *likes[code], *likes[code])
        for code, user_id in users.select("user", "user_id").iter_rows()
        if code in likes
    ]
    return UserHistories(persons, _touched(own))


def cross_domain_histories(
    history: tuple[pl.LazyFrame, pl.DataFrame], targets: tuple[pl.LazyFrame, pl.DataFrame], rules: SplitRules
) -> UserHistories:
    """Users with a history in one domain and targets in another.

    Args:
        history, targets: of each domain the interactions and the users, as in `user_histories`; users pair up
            by user_id.
    """
    here, there = (_of(*end, rules.ordered) for end in (history, targets))
    past, liked = _likes(here, history[1], rules), _likes(there, targets[1], rules)
    code_of = dict(history[1].select("user_id", "user").iter_rows())
    persons = [
        UserHistory(user_id, code, *past[code_of[user_id]], *liked[code], crossing=True)
        for code, user_id in targets[1].select("user", "user_id").iter_rows()
        if code in liked and code_of.get(user_id) in past
    ]
    return UserHistories(persons, _touched(there))


def _of(interactions: pl.LazyFrame, users: pl.DataFrame, ordered: bool) -> pl.DataFrame:
    import polars as pl

    own = interactions.filter(pl.col("user").is_in(users["user"].implode())).select(
        "user", "item", "timestamp", "liked"
    )
    if not ordered:
        own = own.with_columns(timestamp=pl.lit(None, pl.Int64))
    return own.collect(engine="streaming")


def _touched(own: pl.DataFrame) -> SeenItems:
    return SeenItems(*(own[name].to_numpy().astype("int64") for name in ("user", "item")))


def _likes(own: pl.DataFrame, users: pl.DataFrame, rules: SplitRules) -> dict[int, tuple[Items, Times]]:
    """Liked items and their times by user code."""
    import numpy as np
    import polars as pl

    likes = first_likes(own.filter("liked"))
    if not rules.ordered:
        likes = _shuffled(likes, users, rules.seed)
    code, item = likes["user"].to_numpy(), likes["item"].to_numpy()
    time = likes["timestamp"].cast(pl.Int64).fill_null(0).to_numpy()
    bounds = [*np.flatnonzero(np.diff(code, prepend=-1)).tolist(), len(code)]
    return {
        int(code[start]): (item[start:stop], time[start:stop]) for start, stop in itertools.pairwise(bounds)
    }


def _shuffled(likes: pl.DataFrame, users: pl.DataFrame, seed: int) -> pl.DataFrame:
    """Each user's likes in a seeded random order by user id and item, whatever the file's order."""
    import numpy as np
    import polars as pl

    salts = pl.Series(hashes64(("order", seed, user_id) for user_id in users["user_id"]))
    salted = likes.join(users.select("user", salt=salts), on="user", how="left", maintain_order="left")
    keys = mixed(salted["salt"].to_numpy() ^ mixed(likes["item"].to_numpy().astype(np.uint64)))
    return likes.with_columns(key=pl.Series(keys)).sort("user", "key").drop("key")


def places(
    persons: Sequence[UserHistory], split: Split, rules: SplitRules
) -> Iterator[tuple[UserHistory, int]]:
    """Targets as (user, place among the targets): every user's last one before any user's last but one.

    A test case has a user's last target, which must be after the split timestamp; a preference case the last
    one before it; training takes every target before it that has enough history.
    """
    waiting = [(person, found) for person in persons if len(found := _allowed(person, split, rules))]
    for turn in itertools.count():
        waiting = [(person, found) for person, found in waiting if len(found) > turn]
        if not waiting:
            return
        for person, found in waiting:
            yield person, found[turn]


def _allowed(person: UserHistory, split: Split, rules: SplitRules) -> range:
    """Places of targets, the latest first."""
    count = len(person.targets)
    early = count if rules.until is None else int(person.target_times.searchsorted(rules.until, side="right"))
    first = _first_with_history(person, rules.min_history)
    if split == "test":
        late = rules.until is None or early < count
        return range(count - 1, count - 2, -1) if late and count > first else range(0)
    places = range(early - 1, first - 1, -1)
    return places[:1] if split == "preference" else places


def _first_with_history(person: UserHistory, least: int) -> int:
    """The place of the first target that has `least` items before it."""
    if not person.crossing:
        return least
    if len(person.history) < least:
        return len(person.targets)
    return int(person.target_times.searchsorted(person.history_times[least - 1]))
