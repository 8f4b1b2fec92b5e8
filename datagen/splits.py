"""Splitting users into training, preference and test.

Users are disjoint over all datasets that share user ids, so that nobody is trained on in music and tested in
goods. Their histories are made in `rectune.datagen.histories`.
"""

from __future__ import annotations

import typing
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rectune.core.types import SPLITS, Split
from rectune.datagen.datasets.dedup import distinct
from rectune.datagen.rng import hash64

if typing.TYPE_CHECKING:
    import polars as pl


@dataclass(frozen=True, slots=True)
class SplitRules:
    """Lengths of histories in items, and the time (ms since 1970) that separates training from tests.

    `until` is None where no times are published, or where only users are split.
    """

    min_history: int
    max_history: int
    ordered: bool
    seed: int
    until: int | None = None


@dataclass(frozen=True)
class UserPool:
    """The users that one source of cases could use.

    `users` has one row per user: user_id, `train` and `test` (whether the user can be used there), and
    `capacity`, the number of training cases of the user. `wanted` is the number of cases per split; `people`
    names the space of user ids.
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


def split_timestamp(likes: pl.DataFrame, share: float) -> int | None:
    """The time up to which the earliest `share` of the likes happened; None if that splits nothing.

    Where many likes share the last time (a log that knows only days, say), it is the last time before that.
    """
    times = likes["timestamp"]
    if share >= 1.0 or not times.len() or times.null_count():
        return None
    earlier = times.filter(times < times.max())
    if not earlier.len():
        return None
    return int(min(typing.cast(int, times.quantile(share, "lower")), typing.cast(int, earlier.max())))


def usable_users(likes: pl.DataFrame, user_ids: pl.Series, rules: SplitRules) -> pl.DataFrame:
    """The splits that each user with enough likes could be in: the `users` of a `UserPool`.

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


def cross_domain_users(history: pl.DataFrame, targets: pl.DataFrame) -> pl.DataFrame:
    """Users for cross-domain training cases: the `users` of a `UserPool`.

    Both arguments have columns user_id and `likes` (early enough for training, after the shortest history in
    `history`); how many targets really have enough history is known only when the cases are made.
    """
    import polars as pl

    both = history.join(targets, on="user_id", suffix="_of_targets")
    return both.select(
        "user_id", train=pl.lit(True), test=pl.lit(False), capacity=pl.col("likes_of_targets").cast(pl.Int64)
    )


def assign(pools: Sequence[UserPool], seed: int) -> list[dict[Split, pl.Series]]:
    """The ids of the users of each split, for every pool, each in a seeded order.

    A user is in one split, in every pool of the same `people`. In the seeded order each user is assigned to
    test while any pool that can use them there wants more, then to preference in the same way; all others to
    training. The order is by hashes of ids, so that it does not depend on the order of the files.
    """
    found: dict[int, dict[Split, pl.Series]] = {}
    for people in dict.fromkeys(pool.people for pool in pools):
        members = [place for place, pool in enumerate(pools) if pool.people == people]
        assigned = _assign_one([pools[place] for place in members], seed)
        found.update(zip(members, assigned, strict=True))
    return [found[place] for place in range(len(pools))]


def _assign_one(pools: Sequence[UserPool], seed: int) -> list[dict[Split, pl.Series]]:
    import polars as pl

    ids = pl.concat([pool.users["user_id"] for pool in pools]).unique().to_list()
    ids.sort(key=lambda user_id: hash64(seed, pools[0].people, user_id))
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


def _chosen(ids: Sequence[str], pools: Sequence[UserPool]) -> dict[str, Split]:
    """The users of test and of preference; all others are for training."""
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
