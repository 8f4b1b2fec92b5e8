"""Steam, as UCSD's libraries of Australian players (a Python literal a line) and steam-200k.csv. No times."""

from __future__ import annotations

import re
import typing
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from rectune.readers.cells import number, text, texts
from rectune.readers.delimited import scan_delimited
from rectune.readers.drops import Drops
from rectune.readers.file_format import FileFormat
from rectune.readers.json_records import batches, records
from rectune.readers.raw import Raw, interaction_frame, item_frame, no_users, review_frame
from rectune.readers.text import clean_text, json_object

if typing.TYPE_CHECKING:
    import polars as pl

_CATEGORIES = 6  # genres, then the tags that players gave most often
_YEAR = re.compile(r"\b(?:19|20)\d\d\b")
_HELPFUL = re.compile(r"^\s*(\d[\d,]*) of \d")  # 15 of 20 people (75%) found this review helpful
_200K = FileFormat(separator=",", columns=("user_id", "item_id", "kind", "value", "zero"))


def read(files: Sequence[Sequence[Path]], drops: Drops) -> Raw:
    """Read steam_games.json and australian_users_items.json; the value of an interaction is hours played."""
    (games,), (libraries,), *_ = files
    return Raw(item_frame(items(games, drops)), _played(libraries, drops), no_users(), drops)


def read_200k(files: Sequence[Sequence[Path]], drops: Drops) -> Raw:
    """Read steam-200k.csv: a game's name is its id and all that is known of it.

    The value of a play is hours; a purchase has none, since it says nothing of hours. Lines that repeat
    another stay in.
    """
    ((path,),) = files
    return Raw(_named_games(path, drops), _acts(path, drops), no_users(), drops)


def _acts(path: Path, drops: Drops) -> Iterator[pl.DataFrame]:
    import polars as pl

    kinds = pl.Enum(["purchase", "play"])
    schema = {"user_id": pl.String(), "item_id": pl.String(), "kind": kinds, "value": pl.Float32()}
    hours = pl.when(pl.col("kind") == "play").then("value")
    for batch in scan_delimited(path, schema, list(schema), drops, _200K):
        yield interaction_frame(batch.with_columns(pl.col("kind").cast(pl.String), value=hours))


def _named_games(path: Path, drops: Drops) -> pl.DataFrame:
    """Every name once; the malformed lines are counted when the interactions are read."""
    import polars as pl

    uncounted = drops.uncounted()
    parts = (part["item_id"].unique(maintain_order=True) for part in _acts(path, uncounted))
    names = pl.concat([pl.Series("item_id", [], pl.String), *parts]).unique(maintain_order=True)
    return item_frame({"item_id": name, "title": name, "extra": "{}"} for name in names)


def _played(path: Path, drops: Drops) -> Iterator[pl.DataFrame]:
    import polars as pl

    schema = {"user_id": pl.String(), "item_id": pl.String(), "value": pl.Float32()}
    for batch in batches(_plays(path, drops), schema):
        yield interaction_frame(batch, "play")


def reviews(files: Sequence[Sequence[Path]], drops: Drops) -> Iterator[pl.DataFrame]:
    """What was written in australian_user_reviews.json, where it is there, with the columns of
    `rectune.readers.raw.review_columns`; its dates lack years, so there are no times.
    """
    import polars as pl

    schema = {"user_id": pl.String(), "item_id": pl.String(), "helpful": pl.Int64(), "text": pl.String()}
    for path in files[2]:
        for batch in batches(_said(path, drops), schema):
            yield review_frame(batch)


def items_200k(path: Path, drops: Drops) -> Iterator[dict[str, Any]]:
    """The games that steam-200k.csv names."""
    drops_of_acts = drops.uncounted()
    for batch in _acts(path, drops_of_acts):
        for name in batch["item_id"].unique(maintain_order=True):
            yield {"item_id": name, "title": name, "extra": "{}"}


def items(path: Path, drops: Drops) -> Iterator[dict[str, Any]]:
    """The games of steam_games.json."""
    for record in records(path, drops):
        genres, tags = texts(record.get("genres")), texts(record.get("tags"))
        developer, publisher = (clean_text(text(record.get(key))) for key in ("developer", "publisher"))
        year = _YEAR.search(text(record.get("release_date")) or "")
        yield {
            "item_id": text(record.get("id")),
            "title": text(record.get("title") or record.get("app_name")),
            "categories": list(dict.fromkeys(clean_text(name) for name in genres + tags))[:_CATEGORIES],
            "facts": [f"developer: {developer}"] if developer else [],
            "year": int(year.group()) if year else None,
            "extra": json_object(developer=developer, publisher=publisher, price=number(record.get("price"))),
            "marks": [developer or None, year.group() if year else None],
        }


def _plays(path: Path, drops: Drops) -> Iterator[tuple[str | None, str | None, float | None]]:
    """User, game and hours; minutes are published. A game that was bought and never played has 0 hours."""
    for record in records(path, drops):
        user, library = text(record.get("user_id")), record.get("items")
        for entry in library if isinstance(library, list) else []:
            if isinstance(entry, dict):
                minutes = number(entry.get("playtime_forever"))
                yield user, text(entry.get("item_id")), None if minutes is None else minutes / 60


def _said(path: Path, drops: Drops) -> Iterator[tuple[str | None, str | None, int, str | None]]:
    """User, game, how many found it helpful, and the review."""
    for record in records(path, drops):
        user, written = text(record.get("user_id")), record.get("reviews")
        for entry in written if isinstance(written, list) else []:
            if isinstance(entry, dict):
                helpful = _HELPFUL.match(text(entry.get("helpful")) or "")
                votes = int(helpful[1].replace(",", "")) if helpful else 0
                yield user, text(entry.get("item_id")), votes, text(entry.get("review"))
