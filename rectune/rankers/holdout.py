"""Holding out the last like of some train users, on whom rankers are tuned and chosen."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from rectune.core.progress import say
from rectune.core.rng import generator_of
from rectune.rankers.base import Scores
from rectune.rankers.domain_data import TrainLikes

_SHARE = 0.2  # of the users, at most, that one holdout takes away from the rankers
_FOLDS = 5
_SCORES = 200_000_000  # of histories of one length; those of all three are held in memory, 8 bytes each


@dataclass(frozen=True)
class HeldOutUser:
    """A user whom the rankers were not fitted on: what was liked before, oldest first, and what came next;
    and what the user states, a JSON object as text.
    """

    history: tuple[str, ...]
    target: str
    attributes: str = ""


@dataclass(frozen=True)
class Holdout:
    """Likes to fit on, and the users who were taken out of them."""

    likes: TrainLikes
    users: tuple[HeldOutUser, ...]


def as_many_as_fit(users: int, scores: int) -> int:
    """The held-out users whose scores fit into memory; `scores` is how many there are of each user."""
    most = max(50, _SCORES // max(scores, 1))
    if users > most:
        say(f"the rankers are chosen on {most:,} users, not {users:,}: more scores do not fit into memory")
    return min(users, most)


def holdouts(likes: TrainLikes, wanted: int, seed: int) -> list[Holdout]:
    """About so many held-out users, in disjoint holdouts of at most a fifth of all users.

    With few users there are several holdouts, of which each has likes of its own to fit on. Where likes have
    no times, a user's likes are put into a seeded order first. Users with a single like are never held out.

    Args:
        likes: of each user in the order of time.
        wanted: how many users, if there are so many.
        seed: of the choice of users.
    """
    rng = generator_of("holdouts", seed, wanted)
    found, counts = np.unique(likes.users, return_counts=True)
    able = rng.permutation(found[counts > 1])
    if not len(able) or wanted < 1:
        return []
    size = max(1, int(len(found) * _SHARE))
    folds = min(_FOLDS, math.ceil(min(wanted, len(able)) / size))
    chosen = able[: min(folds * size, wanted)]
    order = np.arange(len(likes.users)) if likes.times is not None else rng.permutation(len(likes.users))
    return [_held_out(likes, np.sort(users), order) for users in np.array_split(chosen, folds)]


def _held_out(likes: TrainLikes, users: NDArray[np.int64], order: NDArray[np.int64]) -> Holdout:
    away = np.isin(likes.users, users)
    mine = order[away[order]]
    mine = mine[np.argsort(likes.users[mine], kind="stable")]
    bounds = np.flatnonzero(np.diff(likes.users[mine])) + 1
    ids = [[likes.item_ids[at] for at in rows] for rows in np.split(likes.items[mine], bounds)]
    whose = [int(rows[0]) for rows in np.split(likes.users[mine], bounds)]
    held = tuple(
        HeldOutUser(tuple(row[:-1]), row[-1], likes.attributes.get(user, ""))
        for user, row in zip(whose, ids, strict=True)
    )
    times = None if likes.times is None else likes.times[~away]
    rest = replace(likes, users=likes.users[~away], items=likes.items[~away], times=times, user_ids=None)
    return Holdout(rest, held)


def shortened(user: HeldOutUser, seed: int) -> HeldOutUser:
    """The same user as one with 1 to 4 likes: the latest ones."""
    left = int(generator_of("shortened", seed, user.history, user.target).integers(1, 5))
    return replace(user, history=user.history[-left:])


def target_ranks(
    scores: Scores, targets: Sequence[int], absent: Sequence[Sequence[int]]
) -> NDArray[np.int64]:
    """[n] the rank of each target, from 1, among the catalogue but for what is absent; it loses ties.

    Args:
        scores: [n, items].
        targets: [n] places in the catalogue.
        absent: [n] places that are left out, as those of the history.
    """
    ranks = np.zeros(len(targets), np.int64)
    for at, (row, target, left_out) in enumerate(zip(scores, targets, absent, strict=True)):
        ahead = ~(row < row[target])
        ahead[list(left_out)] = False
        ahead[target] = True
        ranks[at] = np.count_nonzero(ahead)
    return ranks
