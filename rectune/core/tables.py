"""The tables of the data stage: items, users, interactions; one Parquet file each for all domains."""

from __future__ import annotations

import typing
from pathlib import Path

from rectune.core.errors import UserError

if typing.TYPE_CHECKING:
    import polars as pl

KINDS = ("rating", "click", "purchase", "play", "review")


def item_schema() -> dict[str, pl.DataType]:
    """Columns of the items table.

    `item` is a code, dense from 0 within a domain; `item_id` the published id; `extra` a JSON object as text.

    `category` is the publisher's own division of a dataset (an Amazon category), empty where there is none.
    `facts` are columns that a recipe names, as `price: 12`.
    """
    import polars as pl

    return {
        "domain": pl.String(),
        "item": pl.UInt32(),
        "item_id": pl.String(),
        "title": pl.String(),
        "categories": pl.List(pl.String()),
        "description": pl.String(),
        "year": pl.Int32(),
        "extra": pl.String(),
        "category": pl.String(),
        "facts": pl.List(pl.String()),
    }


def user_schema() -> dict[str, pl.DataType]:
    """Columns of the users table.

    `user` is a code, dense from 0 within a domain; `attributes` a JSON object as text, empty where none are
    published.
    """
    import polars as pl

    return {"domain": pl.String(), "user": pl.UInt32(), "user_id": pl.String(), "attributes": pl.String()}


def interaction_schema() -> dict[str, pl.DataType]:
    """One row an event, sorted by user and, where there are times, by time.

    `value` is stars, points, hours played or 1 for a click; null where nothing was rated.

    `timestamp` is milliseconds since 1970, null where the dataset publishes none; `order` is the row's place
    in the file. In the table that the data stage writes a column `liked` (boolean) follows: what counts as
    liked under its recipe.
    """
    import polars as pl

    return {
        "domain": pl.String(),
        "user": pl.UInt32(),
        "item": pl.UInt32(),
        "value": pl.Float32(),
        "kind": pl.Enum(list(KINDS)),
        "timestamp": pl.Int64(),
        "order": pl.UInt32(),
    }


def read_table(path: Path) -> pl.DataFrame:
    """Read one of the tables whole.

    Raises:
        UserError: the file is missing or no Parquet file.
    """
    import polars as pl

    try:
        return pl.read_parquet(path)
    except FileNotFoundError:
        raise UserError(
            "no such table", where=str(path), hint="run: rectune run RECIPE --until data"
        ) from None
    except pl.exceptions.PolarsError as broken:
        raise UserError(f"not a readable Parquet file ({broken})", where=str(path)) from None
