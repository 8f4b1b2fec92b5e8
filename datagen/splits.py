"""Who is trained on, who is asked for preferences, who is tested; and what each of them had taken before a target.

Users are disjoint over all datasets that share user ids, so that nobody is trained on in music and tested in goods. No
history passes its target. Where times are published, no target of training is later than any target of a test.
"""

from __future__ import annotations

import itertools
import typing
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from datagen.datasets.repeats import distinct
from datagen.negatives import Touched
from datagen.noise import mixed, seed_of, seeds_of
from rectune.types import SPLITS, Split

if typing.TYPE_CHECKING:
    import numpy as np
    import polars as pl
    from numpy.typing import NDArray

    Items = NDArray[np.uint32]
    Times = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Rules:
    """How histories are cut: their lengths in items, and the time (seconds since 1970) that parts training from tests.

    `until` is None where no times are published, or where users alone are to be told apart.
    """

    min_history: int
    max_history: int
    ordered: bool
    seed: int
    until: int | None = None


@dataclass(frozen=True, slots=True)
class Person:
    """One user's way to their targets.

    `history` and `targets` are liked items by code, each at its first like, oldest first (in a seeded order without
    times), with their times beside them (all 0 without times); both are the same unless the person is `crossing`
    from one domain into another. `user` is the code in the targets' domain.
    """

    user_id: str
    user: int
    history: Items
    history_times: Times
    targets: Items
    target_times: Times
    crossing: bool = False

    def before(self, place: int) -> int:
        """How many items of `history` come before the target at `place`."""
        if not self.crossing:
            return place
        return int(self.history_times.searchsorted(self.target_times[place], side="right"))


@dataclass(frozen=True)
class People:
    """Some users, and everything in the targets' domain that they ever met."""

    persons: list[Person]
    touched: Touched


@dataclass(frozen=True)
class Pool:
    """The users that one source of cases could use.

    `users` has a row a user: user_id, `train` and `test` (could the user serve there), and `capacity`, the cases that
    the user could give to training. `wanted` counts cases a split; `people` names the space that user ids belong to.
    """

    name: str
    people: str
    users: pl.DataFrame
    wanted: Mapping[Split, int]


def first_likes(liked: pl.DataFrame) -> pl.DataFrame:
    """The first like of each user and item, in the order given.

    Args:
        liked: columns user, item and any other, sorted by user and time.
    """
    return distinct(liked, ("user", "item"))[0]


def parting_time(likes: pl.DataFrame, share: float) -> int | None:
    """The time up to which the earliest `share` of the likes happened; None where that parts nothing.

    Where many likes share the last time (a log that knows only days, say), it is the last time before that.
    """
    times = likes["timestamp"]
    if share >= 1.0 or not times.len() or times.null_count():
        return None
    earlier = times.filter(times < times.max())
    if not earlier.len():
        return None
    return int(min(typing.cast(int, times.quantile(share, "lower")), typing.cast(int, earlier.max())))


def usable_users(likes: pl.DataFrame, user_ids: pl.Series, rules: Rules) -> pl.DataFrame:
    """What each user with enough likes could serve for: the `users` of a `Pool`.

    Args:
        likes: from `first_likes`, with columns user, timestamp.
        user_ids: published ids by user code.
    """
    import numpy as np
    import polars as pl

    count = len(user_ids)
    every = np.bincount(likes["user"].to_numpy(), minlength=count)
    if rules.until is None:
        early, late = every, np.ones(count, bool)
    else:
        early = np.bincount(
            likes.filter(pl.col("timestamp") <= rules.until)["user"].to_numpy(), minlength=count
        )
        late = every > early
    users = pl.DataFrame(
        {
            "user_id": user_ids,
            "train": early > rules.min_history,
            "test": (every > rules.min_history) & late,
            "capacity": np.maximum(early - rules.min_history, 0),
        }
    )
    return users.filter(pl.col("train") | pl.col("test"))


def crossing_users(history: pl.DataFrame, targets: pl.DataFrame) -> pl.DataFrame:
    """Who could give training a history in one domain and a target in another: the `users` of a `Pool`.

    Both arguments have columns user_id and `likes` (early enough for training, after the shortest history in
    `history`); how many targets really have enough history before them shows only when they are cut.
    """
    import polars as pl

    both = history.join(targets, on="user_id", suffix="_of_targets")
    return both.select(
        "user_id", train=pl.lit(True), test=pl.lit(False), capacity=pl.col("likes_of_targets").cast(pl.Int64)
    )


def assign(pools: Sequence[Pool], seed: int) -> list[dict[Split, pl.Series]]:
    """The ids of the users of each split, for every pool, each in a seeded order.

    A user is in one split, in every pool of the same `people`. In the seeded order each user goes to the tests while
    any pool that they could serve there wants more, then to the preferences in the same way; all others to training.
    The order hashes ids, so that it does not depend on the order of the files.
    """
    found: dict[int, dict[Split, pl.Series]] = {}
    for people in dict.fromkeys(pool.people for pool in pools):
        members = [place for place, pool in enumerate(pools) if pool.people == people]
        assigned = _assign_one([pools[place] for place in members], seed)
        found.update(zip(members, assigned, strict=True))
    return [found[place] for place in range(len(pools))]


def _assign_one(pools: Sequence[Pool], seed: int) -> list[dict[Split, pl.Series]]:
    import polars as pl

    ids = pl.concat([pool.users["user_id"] for pool in pools]).unique().to_list()
    ids.sort(key=lambda user_id: seed_of(seed, pools[0].people, user_id))
    chosen = _chosen(ids, pools)
    place = pl.DataFrame({"user_id": ids}, schema={"user_id": pl.String()}).with_row_index("place")
    split = pl.DataFrame(
        {"user_id": list(chosen), "split": list(chosen.values())},
        schema={"user_id": pl.String(), "split": pl.String()},
    )
    told = place.join(split, on="user_id", how="left").with_columns(pl.col("split").fill_null("train"))
    found = []
    for pool in pools:
        users = pool.users.join(told, on="user_id").sort("place")
        able = pl.when(pl.col("split") == "test").then("test").otherwise("train")
        users = users.filter(able)
        found.append({split: users.filter(pl.col("split") == split)["user_id"] for split in SPLITS})
    return found


def _chosen(ids: Sequence[str], pools: Sequence[Pool]) -> dict[str, Split]:
    """Who goes to the tests and to the preferences; everybody else is trained on."""
    asked: tuple[Split, ...] = ("test", "preference")
    wanted = {split: [pool.wanted[split] for pool in pools] for split in asked}
    able = {
        "test": [set(pool.users.filter("test")["user_id"]) for pool in pools],
        "preference": [set(pool.users.filter("train")["user_id"]) for pool in pools],
    }
    chosen: dict[str, Split] = {}
    for user_id in ids:
        if not any(left > 0 for lefts in wanted.values() for left in lefts):
            break
        for split in asked:
            own = [place for place, users in enumerate(able[split]) if user_id in users]
            if any(wanted[split][place] > 0 for place in own):
                chosen[user_id] = split
                for place in own:
                    wanted[split][place] -= 1
                break
    return chosen


def people(interactions: pl.LazyFrame, users: pl.DataFrame, rules: Rules) -> People:
    """The histories of some users in one domain.

    Args:
        interactions: columns user, item, timestamp, liked, sorted by user and time.
        users: columns user (code) and user_id; the result is in their order.
    """
    own = _of(interactions, users, rules.ordered)
    likes = _likes(own, users, rules)
    persons = [
        Person(user_id, code, *likes[code], *likes[code])
        for code, user_id in users.select("user", "user_id").iter_rows()
        if code in likes
    ]
    return People(persons, _touched(own))


def crossing_people(
    history: tuple[pl.LazyFrame, pl.DataFrame], targets: tuple[pl.LazyFrame, pl.DataFrame], rules: Rules
) -> People:
    """Users with a history in one domain and targets in another.

    Args:
        history, targets: of each domain the interactions and the users, as in `people`; users pair up by user_id.
    """
    here, there = (_of(*end, rules.ordered) for end in (history, targets))
    past, liked = _likes(here, history[1], rules), _likes(there, targets[1], rules)
    code_of = dict(history[1].select("user_id", "user").iter_rows())
    persons = [
        Person(user_id, code, *past[code_of[user_id]], *liked[code], crossing=True)
        for code, user_id in targets[1].select("user", "user_id").iter_rows()
        if code in liked and code_of.get(user_id) in past
    ]
    return People(persons, _touched(there))


def _of(interactions: pl.LazyFrame, users: pl.DataFrame, ordered: bool) -> pl.DataFrame:
    import polars as pl

    own = interactions.filter(pl.col("user").is_in(users["user"].implode())).select(
        "user", "item", "timestamp", "liked"
    )
    if not ordered:
        own = own.with_columns(timestamp=pl.lit(None, pl.Int64))
    return own.collect(engine="streaming")


def _touched(own: pl.DataFrame) -> Touched:
    return Touched(*(own[name].to_numpy().astype("int64") for name in ("user", "item")))


def _likes(own: pl.DataFrame, users: pl.DataFrame, rules: Rules) -> dict[int, tuple[Items, Times]]:
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
    """Each user's likes in an order that follows from seed, user id and item; a file's own order means nothing."""
    import numpy as np
    import polars as pl

    salts = pl.Series(seeds_of(("order", seed, user_id) for user_id in users["user_id"]))
    salted = likes.join(users.select("user", salt=salts), on="user", how="left", maintain_order="left")
    keys = mixed(salted["salt"].to_numpy() ^ mixed(likes["item"].to_numpy().astype(np.uint64)))
    return likes.with_columns(key=pl.Series(keys)).sort("user", "key").drop("key")


def places(persons: Sequence[Person], split: Split, rules: Rules) -> Iterator[tuple[Person, int]]:
    """Targets as (person, place among the targets), the last of each person before anybody's last but one.

    A test asks for a person's last target, which must lie behind the parting time; preferences for the last one
    before it; training takes every target before it that has enough history.
    """
    waiting = [(person, found) for person in persons if len(found := _allowed(person, split, rules))]
    for turn in itertools.count():
        waiting = [(person, found) for person, found in waiting if len(found) > turn]
        if not waiting:
            return
        for person, found in waiting:
            yield person, found[turn]


def _allowed(person: Person, split: Split, rules: Rules) -> range:
    """Places of targets, the latest first."""
    count = len(person.targets)
    early = count if rules.until is None else int(person.target_times.searchsorted(rules.until, side="right"))
    first = _first_with_history(person, rules.min_history)
    if split == "test":
        late = rules.until is None or early < count
        return range(count - 1, count - 2, -1) if late and count > first else range(0)
    places = range(early - 1, first - 1, -1)
    return places[:1] if split == "preference" else places


def _first_with_history(person: Person, least: int) -> int:
    """The place of the first target that has `least` items before it."""
    if not person.crossing:
        return least
    if len(person.history) < least:
        return len(person.targets)
    return int(person.target_times.searchsorted(person.history_times[least - 1]))
