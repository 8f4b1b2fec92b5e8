"""The tables of a dataset as frames, for tests that look into them."""

from typing import Any, NamedTuple

import polars as pl

from rectune.datagen.datasets.normalize import Tables


class Frames(NamedTuple):
    items: pl.DataFrame
    users: pl.DataFrame
    interactions: pl.DataFrame
    stats: dict[str, Any]


def collected(tables: Tables) -> Frames:
    return Frames(tables.items.collect(), tables.users.collect(), tables.interactions.collect(), tables.stats)
