"""Splitting the likes of a domain at random, whoever's they are."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from rectune.core.errors import UserError
from rectune.core.rng import generator_of
from rectune.evaluation.all_likes import all_likes
from rectune.rankers.domain_data import Codes, TrainLikes


@dataclass(frozen=True)
class RandomLikes:
    """The likes of a domain, split.

    Attributes:
        train: what rankers are fitted on.
        test: all other likes.
    """

    train: TrainLikes
    test: TrainLikes


def split_at_random(data: Path, domain: str, share: float, seed: int) -> RandomLikes:
    """Split the likes of one domain; see `all_likes`.

    Args:
        data: the folder with items.parquet and interactions.parquet.
        domain: whose likes.
        share: of the likes that are for testing, rounded; one at least, and not all.
        seed: of the draw.

    Raises:
        UserError: there are fewer than two likes.
    """
    likes = all_likes(data, domain)
    total = len(likes.users)
    if total < 2:
        hint = "get more interactions, or lower data.positive_threshold"
        where = f"{data / 'interactions.parquet'}, domain {domain}"
        raise UserError("there are no two likes to split", where=where, hint=hint)
    count = min(max(round(share * total), 1), total - 1)
    tested = np.zeros(total, np.bool_)
    tested[generator_of("random split", seed, domain).permutation(total)[:count]] = True

    def part(chosen: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> TrainLikes:
        times = None if likes.times is None else likes.times[chosen]
        return TrainLikes(likes.item_ids, likes.users[chosen], likes.items[chosen], times)

    return RandomLikes(part(~tested), part(tested))


def items_by_user(likes: TrainLikes) -> dict[int, Codes]:
    """User -> the places of what the user liked, in the order of the likes."""
    order = np.argsort(likes.users, kind="stable")
    users, starts = np.unique(likes.users[order], return_index=True)
    return dict(zip(users.tolist(), np.split(likes.items[order], starts[1:]), strict=True))
