"""Anime Recommendations Database: MyAnimeList titles and ratings of 2016. No times."""

from __future__ import annotations

import typing
from collections.abc import Sequence
from pathlib import Path

from datagen.datasets.delimited import read_delimited
from datagen.datasets.raw import Drops, Raw, interaction_frame, item_frame, no_users
from datagen.datasets.text import json_object

if typing.TYPE_CHECKING:
    import polars as pl


def read(files: Sequence[Sequence[Path]]) -> Raw:
    """Read anime.csv and rating.csv; a rating of -1 (watched, not rated) becomes a null value."""
    import polars as pl

    (titles,), (ratings,) = files
    drops = Drops()
    schema = {"user_id": pl.String(), "anime_id": pl.String(), "rating": pl.Float32()}
    table = read_delimited(ratings, schema, list(schema), drops).rename({"anime_id": "item_id"})
    rated = table.select("user_id", "item_id", value=pl.when(pl.col("rating") > 0).then("rating"))
    return Raw(_items(titles, drops), interaction_frame(rated, "rating"), no_users(), drops)


def _items(path: Path, drops: Drops) -> pl.DataFrame:
    import polars as pl

    schema = {name: pl.String() for name in ("anime_id", "name", "genre", "type", "episodes")}
    table = read_delimited(path, schema, ["anime_id"], drops)
    return item_frame(
        {
            "item_id": row["anime_id"],
            "title": row["name"],
            "categories": (row["genre"] or "").split(","),
            "description": "",
            "extra": json_object(type=row["type"], episodes=_episodes(row["episodes"])),
            "marks": [row["type"], f"{row['episodes']} episodes" if _episodes(row["episodes"]) else None],
        }
        for row in table.iter_rows(named=True)
    )


def _episodes(text: str | None) -> int | None:
    """A count, or None for `Unknown`."""
    return int(text) if text and text.isdecimal() else None
