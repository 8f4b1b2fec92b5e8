"""MIND: Microsoft's news clicks. Tab-separated, quotes are data, one line an impression."""

from __future__ import annotations

import json
import typing
from collections.abc import Sequence
from pathlib import Path

from datagen.datasets.delimited import Dialect, read_delimited
from datagen.datasets.raw import Drops, Raw, interaction_frame, item_frame, no_users
from datagen.datasets.text import clean_text, json_object

if typing.TYPE_CHECKING:
    import polars as pl

_NEWS = ("id", "category", "subcategory", "title", "abstract", "url", "title_entities", "abstract_entities")
_BEHAVIOURS = ("impression", "user", "time", "history", "shown")


def read(files: Sequence[Sequence[Path]]) -> Raw:
    """Read news.tsv and behaviors.tsv, of one split or of several in folders of their own."""
    import polars as pl

    news, behaviours = files
    drops = Drops()
    items = pl.concat([_items(path, drops) for path in news])
    clicks = _clicks(pl.concat([_log(path, drops) for path in behaviours]))
    return Raw(items, interaction_frame(clicks, "click"), no_users(), drops)


def _items(path: Path, drops: Drops) -> pl.DataFrame:
    import polars as pl

    schema = {name: pl.String() for name in _NEWS if name != "url"}
    table = read_delimited(path, schema, ["id"], drops, Dialect("\t", quoted=False, header=_NEWS))
    return item_frame(
        {
            "item_id": row["id"],
            "title": row["title"],
            "categories": [text.replace("_", " ") for text in (row["category"], row["subcategory"]) if text],
            "description": row["abstract"],
            "extra": json_object(entities=_entities(row["title_entities"])),
            "marks": [row["subcategory"]],
        }
        for row in table.iter_rows(named=True)
    )


def _entities(text: str | None) -> list[str]:
    """The names in MIND's JSON list of linked entities; none where it cannot be read."""
    try:
        found = json.loads(text or "[]")
    except (ValueError, RecursionError):
        return []
    labels = (
        [entity.get("Label") for entity in found if isinstance(entity, dict)]
        if isinstance(found, list)
        else []
    )
    return list(dict.fromkeys(clean_text(label) for label in labels if isinstance(label, str)))


def _log(path: Path, drops: Drops) -> pl.DataFrame:
    import polars as pl

    text = pl.String()
    schema = {"user": text, "time": pl.Datetime("us"), "history": text, "shown": text}
    dialect = Dialect("\t", quoted=False, header=_BEHAVIOURS, time="%m/%d/%Y %I:%M:%S %p")
    table = read_delimited(path, schema, ["user", "time", "shown"], drops, dialect)
    return table.rename({"user": "user_id"}).with_columns(pl.col("time").dt.epoch("s").alias("timestamp"))


def _clicks(log: pl.DataFrame) -> pl.DataFrame:
    """Clicks from the histories, then clicks on what was shown.

    A history has no times and stands in every line of its user: the one before the user's first impression is
    taken, at the time of that impression, and placed first, so that sorting by time and place keeps it first.
    """
    import polars as pl

    first = log.sort("timestamp", maintain_order=True).unique("user_id", keep="first", maintain_order=True)
    before = first.with_columns(pl.col("history").str.split(" ").alias("item_id"))
    clicked = pl.col("shown").str.extract_all(r"\S+-1(?:\s|$)").alias("item_id")
    after = log.with_columns(clicked)
    wanted = ("user_id", "item_id", "timestamp")
    parts = [part.select(wanted).explode("item_id") for part in (before, after)]
    parts[1] = parts[1].with_columns(pl.col("item_id").str.strip_chars().str.strip_suffix("-1"))
    clicks = pl.concat(parts).filter(pl.col("item_id").is_not_null() & (pl.col("item_id") != ""))
    return clicks.with_columns(value=pl.lit(1.0))
