"""Splitting the likes of every user: the last one is for testing, the second last for validation."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rectune.core.errors import UserError
from rectune.evaluation.all_likes import all_likes
from rectune.rankers.domain_data import TrainLikes
from rectune.rankers.holdout import HeldOutUser

_FEWEST = 3  # likes of a user who is tested: one to train on, one to validate on, one to test on


@dataclass(frozen=True)
class LastLikes:
    """The likes of a domain, split.

    Attributes:
        train: all likes but the last two of every tested user.
        validation: [tested] the second last like of each, and the likes before it.
        test: [tested] the last like of each, and the likes before it; users in the same order.
        users: how many users have a like.
        same_time: of how many tested users the last two likes have the same time.
    """

    train: TrainLikes
    validation: tuple[HeldOutUser, ...]
    test: tuple[HeldOutUser, ...]
    users: int
    same_time: int


def split_last_likes(data: Path, domain: str) -> LastLikes:
    """Split the likes of one domain; see `all_likes`.

    Args:
        data: the folder with items.parquet and interactions.parquet.
        domain: whose likes.

    Raises:
        UserError: the likes have no times, or no user has three.
    """
    likes = all_likes(data, domain)
    where = f"{data / 'interactions.parquet'}, domain {domain}"
    if likes.times is None:
        raise UserError(
            "the likes have no times, so nobody's last one is known",
            where=where,
            hint="name the column of times (data.custom), or leave this dataset out of data.datasets",
        )
    found = _split(likes)
    if not found.test:
        hint = "get more interactions, or lower data.positive_threshold"
        raise UserError(f"no user has {_FEWEST} likes", where=where, hint=hint)
    return found


def _split(likes: TrainLikes) -> LastLikes:
    """Likes that are sorted by user and time."""
    assert likes.times is not None
    train, validation, test, same = np.ones(len(likes.users), np.bool_), [], [], 0
    users = 0
    for start, stop in _bounds(likes.users):
        users += 1
        if stop - start < _FEWEST:
            continue
        ids = [likes.item_ids[at] for at in likes.items[start:stop]]
        train[stop - 2 : stop] = False
        validation.append(HeldOutUser(tuple(ids[:-2]), ids[-2]))
        test.append(HeldOutUser(tuple(ids[:-1]), ids[-1]))
        same += int(likes.times[stop - 1] == likes.times[stop - 2])
    rest = TrainLikes(likes.item_ids, likes.users[train], likes.items[train], likes.times[train])
    return LastLikes(rest, tuple(validation), tuple(test), users, same)


def _bounds(users: NDArray[np.int64]) -> Iterator[tuple[int, int]]:
    """Where the rows of each user begin and end; those of a user stand together."""
    starts = np.flatnonzero(np.diff(users, prepend=-1)).tolist()
    yield from zip(starts, [*starts[1:], len(users)], strict=True)
