"""Splitting the likes of a domain at random, whoever's they are."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from rectune.core.errors import UserError
from rectune.core.rng import generator_of
from rectune.core.tables import read_table
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
    """Split the likes of one domain; of a user and an item the first like counts.

    Args:
        data: the folder with items.parquet and interactions.parquet.
        domain: whose likes.
        share: of the likes that are for testing, rounded; one at least, and not all.
        seed: of the draw.

    Raises:
        UserError: there are fewer than two likes.
    """
    import polars as pl

    own = pl.col("domain") == domain
    items = read_table(data / "items.parquet").filter(own).select("item", "item_id").sort("item")
    liked = (
        pl.scan_parquet(data / "interactions.parquet")
        .filter(own & pl.col("liked"))
        .select(pl.col("user", "item").cast(pl.Int64), "timestamp", "order")
        .sort("user", "timestamp", "order")
        .unique(["user", "item"], keep="first", maintain_order=True)
        .collect(engine="streaming")
    )
    if liked.height < 2:
        hint = "get more interactions, or lower data.positive_threshold"
        where = f"{data / 'interactions.parquet'}, domain {domain}"
        raise UserError("there are no two likes to split", where=where, hint=hint)
    count = min(max(round(share * liked.height), 1), liked.height - 1)
    tested = np.zeros(liked.height, np.bool_)
    tested[generator_of("random split", seed, domain).permutation(liked.height)[:count]] = True
    places = np.searchsorted(items["item"].to_numpy(), liked["item"].to_numpy())
    times = None if liked["timestamp"].null_count() else liked["timestamp"].cast(pl.Int64).to_numpy()
    ids, users = tuple(items["item_id"]), liked["user"].to_numpy()

    def part(chosen: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> TrainLikes:
        return TrainLikes(ids, users[chosen], places[chosen], None if times is None else times[chosen])

    return RandomLikes(part(~tested), part(tested))


def items_by_user(likes: TrainLikes) -> dict[int, Codes]:
    """User -> the places of what the user liked, in the order of the likes."""
    order = np.argsort(likes.users, kind="stable")
    users, starts = np.unique(likes.users[order], return_index=True)
    return dict(zip(users.tolist(), np.split(likes.items[order], starts[1:]), strict=True))
