"""MIND: Microsoft's news clicks. Tab-separated, quotes are data, one line an impression."""

from __future__ import annotations

import json
import re
import typing
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from rectune.readers.delimited import read_delimited, scan_delimited
from rectune.readers.drops import Drops
from rectune.readers.file_format import FileFormat
from rectune.readers.json_records import item_table
from rectune.readers.raw import Raw, interaction_frame, no_users
from rectune.readers.text import clean_text, json_object

if typing.TYPE_CHECKING:
    import polars as pl

_AND = re.compile(r"(?<=[a-z]{4})and(?=[a-z]{4})")  # "scienceandtechnology"
_NEWS = ("id", "category", "subcategory", "title", "abstract", "url", "title_entities", "abstract_entities")
_BEHAVIOURS = ("impression", "user", "time", "history", "shown")
_USERS = 50_000  # whose histories become rows together


def read(files: Sequence[Sequence[Path]], drops: Drops, batch: int = _USERS) -> Raw:
    """Read news.tsv and behaviors.tsv, of one part of the edition or of several (train, dev, test).

    The histories of `batch` users become rows together.
    """
    news, behaviours = files
    table = item_table(row for path in news for row in items(path, drops))
    return Raw(table, _clicks(behaviours, drops, batch), no_users(), drops)


def items(path: Path, drops: Drops) -> Iterator[dict[str, Any]]:
    """The news of news.tsv."""
    import polars as pl

    schema = {name: pl.String() for name in _NEWS if name not in ("url", "abstract_entities")}
    table = read_delimited(
        path, schema, ["id"], drops, FileFormat(separator="\t", quoted=False, columns=_NEWS)
    )
    for row in table.iter_rows(named=True):
        yield {
            "item_id": row["id"],
            "title": row["title"],
            "categories": _categories(row["category"] or "", row["subcategory"] or ""),
            "description": row["abstract"],
            "extra": json_object(entities=_entities(row["title_entities"])),
            "marks": [row["subcategory"]],
        }


def _categories(category: str, subcategory: str) -> list[str]:
    """Both in words; of a subcategory that repeats its category ("newsworld") what it adds."""
    added = subcategory.removeprefix(category) if category and subcategory != category else subcategory
    added = added if len(added) > 1 else subcategory
    words = [text.replace("_", " ").strip(" -") for text in (category, added)]
    return [_AND.sub(" and ", text) for text in words if text]


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


def _clicks(paths: Sequence[Path], drops: Drops, batch: int) -> Iterator[pl.DataFrame]:
    """Clicks from the histories, a user's from the oldest on, then clicks on what was shown.

    Histories have no times, and every line repeats its user's. The one before the user's first impression (in
    whichever file) is taken. All of it was clicked before that impression, so it gets its time, and comes
    first here: sorted by time and then by place it stays before every impression of the user. What later
    histories add was clicked in between. Where a part of the edition shows it, it stands there with its time;
    for the rest no time is known that might not put it after a click that it preceded, so it is left out.
    """
    import polars as pl

    uncounted = drops.uncounted()  # the same lines are read, and counted, again below
    first = _first_lines(paths, uncounted, batch)
    for users in first.iter_slices(batch):
        yield _events(users, pl.col("history").str.split(" "))
    for path in paths:
        for lines in _log(path, "shown", drops):
            # Without labels (the test part of the large edition) nothing is known to be clicked.
            yield _events(lines, pl.col("shown").str.extract_all(r"\S+-1(?:\s|$)"), r"-1\s?$")


def _events(lines: pl.DataFrame, listed: pl.Expr, mark: str = "") -> pl.DataFrame:
    """One click for each id that `listed` gives for a line, freed from `mark` (a pattern)."""
    import polars as pl

    clicks = lines.select("user_id", "timestamp", item_id=listed, value=1.0).explode("item_id")
    if mark:
        clicks = clicks.with_columns(pl.col("item_id").str.replace(mark, ""))
    return interaction_frame(clicks.filter(pl.col("item_id") != ""), "click")


def _first_lines(paths: Sequence[Path], drops: Drops, batch: int) -> pl.DataFrame:
    """The line of each user's first impression: `user_id`, `timestamp` and `history`."""
    import polars as pl

    held: list[pl.DataFrame] = []
    for path in paths:
        for lines in _log(path, "history", drops):
            held.append(lines)
            # Seldom enough that all of it costs little more than one pass over the lines.
            if sum(each.height for each in held[1:]) > max(batch, held[0].height):
                held = [_earliest(pl.concat(held))]
    return _earliest(pl.concat(held))


def _earliest(lines: pl.DataFrame) -> pl.DataFrame:
    """Each user's earliest line; of several the first."""
    ordered = lines.sort("timestamp", maintain_order=True)
    return ordered.unique("user_id", keep="first", maintain_order=True)


def _log(path: Path, wanted: str, drops: Drops) -> Iterator[pl.DataFrame]:
    """`user_id`, `timestamp` (milliseconds) and one more column of behaviors.tsv, in batches."""
    import polars as pl

    schema = {"user": pl.String(), "time": pl.Datetime("us"), wanted: pl.String()}
    written = FileFormat(
        separator="\t", quoted=False, columns=_BEHAVIOURS, time_format="%m/%d/%Y %I:%M:%S %p"
    )
    for lines in scan_delimited(path, schema, ["user", "time"], drops, written):
        yield lines.select(wanted, user_id="user", timestamp=pl.col("time").dt.epoch("ms"))
