"""The ratings of The Movies Dataset, and links.csv, which says whose they are."""

from __future__ import annotations

import typing
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from rectune.readers.delimited import read_delimited, scan_delimited
from rectune.readers.drops import Drops
from rectune.readers.raw import interaction_frame

if typing.TYPE_CHECKING:
    import polars as pl


def linked(path: Path, drops: Drops) -> pl.DataFrame:
    """The columns movieId (of ratings.csv) and item_id (the id in movies_metadata.csv), both UInt32.

    Rows that link nothing are left out.
    """
    import polars as pl

    schema: dict[str, pl.DataType] = {"movieId": pl.UInt32(), "tmdbId": pl.String()}
    published = read_delimited(path, schema, ["movieId"], drops).with_columns(pl.col("tmdbId").fill_null(""))
    spelt = pl.col("tmdbId").str.strip_chars()
    links = published.with_columns(
        item_id=spelt.str.extract(r"^([1-9]\d*)(?:\.0*)?$").cast(pl.UInt32, strict=False)
    )
    for condition, reason in (
        (spelt != "", "link without a tmdbId"),
        (pl.col("item_id").is_not_null(), "link whose tmdbId is no number"),
        (pl.col("movieId").is_first_distinct(), "movieId linked before"),
    ):
        links = _kept(links, condition, reason, drops, lambda row: f"{path.name}: movieId {row['movieId']}")
    return links.select("movieId", "item_id")


def rated(path: Path, links: pl.DataFrame, drops: Drops) -> Iterator[pl.DataFrame]:
    """The ratings of linked films."""
    import polars as pl

    types = (pl.UInt32(), pl.UInt32(), pl.Float32(), pl.Int64())
    schema: dict[str, pl.DataType] = dict(
        zip(("userId", "movieId", "rating", "timestamp"), types, strict=True)
    )
    seen, halves = 0, 2 * pl.col("rating")
    on_scale = halves.is_between(1, 10) & (halves == halves.round())

    def where(row: Mapping[str, Any]) -> str:
        return f"{path.name}: rating {row['place'] + 1:,}: user {row['userId']}, movieId {row['movieId']}"

    for batch in scan_delimited(path, schema, list(schema), drops):
        rows = batch.with_row_index("place", seen)
        seen += batch.height
        rows = _kept(rows, on_scale, "rating that is not 0.5 to 5 in halves", drops, where)
        rows = rows.join(links, on="movieId", how="left", maintain_order="left")
        rows = _kept(rows, pl.col("item_id").is_not_null(), "rating of a film without a link", drops, where)
        yield interaction_frame(
            rows.select("item_id", user_id="userId", value="rating", timestamp=pl.col("timestamp") * 1000),
            "rating",
        )


def _kept(
    rows: pl.DataFrame,
    condition: pl.Expr,
    reason: str,
    drops: Drops,
    where: Callable[[Mapping[str, Any]], str],
) -> pl.DataFrame:
    """The rows that meet a condition; the others are counted, with the place of the first."""
    good = rows.select(condition).to_series()
    if good.all():
        return rows
    bad = rows.filter(~good)
    drops.add(reason, bad.height, where(bad.row(0, named=True)))
    return rows.filter(good)
