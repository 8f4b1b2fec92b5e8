"""The likes of all users of a domain, for protocols that split likes and not users."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from rectune.core.tables import read_table
from rectune.rankers.domain_data import TrainLikes


def all_likes(data: Path, domain: str) -> TrainLikes:
    """The likes of one domain by user and time, those of one time in the order of the files.

    Of a user and an item the first like counts. There are no times where any is unknown.

    Args:
        data: the folder with items.parquet and interactions.parquet.
        domain: whose likes.
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
    places = np.searchsorted(items["item"].to_numpy(), liked["item"].to_numpy())
    times = None if liked["timestamp"].null_count() else liked["timestamp"].cast(pl.Int64).to_numpy()
    return TrainLikes(tuple(items["item_id"]), liked["user"].to_numpy(), places, times)
