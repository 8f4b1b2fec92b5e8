"""What a reader of a dataset returns: items and interactions as published, and what was left out."""

from __future__ import annotations

import typing
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from rectune.core.tables import KINDS
from rectune.readers.drops import Drops

if typing.TYPE_CHECKING:
    import polars as pl


@dataclass
class Raw:
    """A dataset as published, with columns of the schemas below and nothing cleaned yet.

    `interactions` are batches in file order, so that no file has to fit into memory; `drops` is complete only
    when all of them were taken.
    """

    items: pl.DataFrame
    interactions: Iterable[pl.DataFrame]
    users: pl.DataFrame
    drops: Drops


def item_columns() -> dict[str, pl.DataType]:
    """`extra` is a JSON object as text; `marks` tell items of one title apart, the best mark first.

    `category` is the publisher's own division of the dataset (an Amazon category); empty or null where it has
    none. `facts` are columns that a recipe names, as `price: 12`.
    """
    import polars as pl

    return {
        "item_id": pl.String(),
        "title": pl.String(),
        "categories": pl.List(pl.String()),
        "description": pl.String(),
        "year": pl.Int32(),
        "extra": pl.String(),
        "marks": pl.List(pl.String()),
        "category": pl.String(),
        "facts": pl.List(pl.String()),
    }


def interaction_columns() -> dict[str, pl.DataType]:
    """As in `rectune.core.tables.interaction_schema`, with published ids in place of codes, and without
    `order`.

    `timestamp` is milliseconds since 1970. An id may be UInt32 as well, where all of them are whole numbers
    without leading zeros.
    """
    import polars as pl

    return {
        "user_id": pl.String(),
        "item_id": pl.String(),
        "value": pl.Float32(),
        "kind": pl.Enum(list(KINDS)),
        "timestamp": pl.Int64(),
    }


def review_columns() -> dict[str, pl.DataType]:
    """What was written in reviews: `helpful` counts the people who found it helpful, 0 where none is known.

    `timestamp` is milliseconds since 1970, null without times.
    """
    import polars as pl

    return {
        "user_id": pl.String(),
        "item_id": pl.String(),
        "timestamp": pl.Int64(),
        "helpful": pl.Int64(),
        "text": pl.String(),
    }


def review_frame(frame: pl.DataFrame) -> pl.DataFrame:
    """One batch of reviews, of those that say something."""
    import polars as pl

    if "timestamp" not in frame.columns:
        frame = frame.with_columns(timestamp=pl.lit(None))
    types = review_columns()
    said = frame.select(pl.col(name).cast(dtype, strict=False) for name, dtype in types.items())
    said = said.filter(pl.col("text").fill_null("") != "")
    return said.with_columns(pl.col("helpful").fill_null(0).clip(lower_bound=0))


def item_frame(rows: Iterable[Mapping[str, Any]]) -> pl.DataFrame:
    """Items from one mapping a row; what a row lacks is null."""
    import polars as pl

    return pl.DataFrame(list(rows), schema=item_columns(), orient="row")


def interaction_frame(frame: pl.DataFrame, kind: str = "") -> pl.DataFrame:
    """One batch of interactions from `user_id`, `item_id`, `value` and, where published, `timestamp` and
    `kind`.
    """
    import polars as pl

    if kind:
        frame = frame.with_columns(kind=pl.lit(kind))
    if "timestamp" not in frame.columns:
        frame = frame.with_columns(timestamp=pl.lit(None))
    types = interaction_columns()
    types |= {name: dtype for name in ("user_id", "item_id") if (dtype := frame.schema[name]) == pl.UInt32()}
    return frame.select(pl.col(name).cast(dtype) for name, dtype in types.items())


def no_users() -> pl.DataFrame:
    """The users of a dataset that publishes nothing about them."""
    import polars as pl

    return pl.DataFrame(schema={"user_id": pl.String(), "attributes": pl.String()})
