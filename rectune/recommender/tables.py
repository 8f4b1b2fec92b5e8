"""Catalogues and interactions as rectune takes them, from files, frames and lists."""

from __future__ import annotations

import json
import re
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from rectune.core.errors import UserError
from rectune.core.progress import say
from rectune.core.types import Item
from rectune.rankers.domain_data import TrainLikes
from rectune.readers.catalogue import CatalogueFile, CatalogueOptions
from rectune.readers.catalogue import read_catalogue as read_catalogue_file
from rectune.readers.columns import INTERACTION_NAMES, ITEM_NAMES
from rectune.readers.drops import Drops, left_out_lines
from rectune.readers.file_format import FileFormat
from rectune.readers.interactions import InteractionTable, values_on_both_sides
from rectune.recommender.arguments import check_is, check_names, check_number

if TYPE_CHECKING:
    import polars as pl


def items_of(catalogue: Any, options: CatalogueOptions | None = None) -> list[Item]:
    """The items of a file or folder, a polars or pandas frame, or a list of `Item`.

    What was read as what, and what was left out, is said on standard error.

    Raises:
        UserError: it cannot be read, see `rectune.readers.catalogue.read_catalogue`; or of a list two items
            have one id.
    """
    if options is not None:
        check_is("options", options, CatalogueOptions, "CatalogueOptions(…)")
    if isinstance(catalogue, Sequence) and not isinstance(catalogue, str):
        if not all(isinstance(item, Item) for item in catalogue):
            raise UserError(
                "the catalogue is a list of other things than items", hint="give a frame, or a file"
            )
        counts = Counter(item.item_id for item in catalogue)
        if twice := [item_id for item_id, count in counts.items() if count > 1]:
            raise UserError(
                f"the catalogue holds an id twice: {', '.join(twice[:3])}",
                hint="give each item one of its own",
            )
        return list(catalogue)
    read = read_catalogue(catalogue, options)
    say(read.describe())
    return read.items


def read_catalogue(catalogue: Any, options: CatalogueOptions | None = None) -> CatalogueFile:
    """Read a catalogue: what was taken for what, and what was left out, is in the result.

    Args:
        catalogue: CSV, TSV, JSON lines, JSON or Parquet (each also gzipped), a folder of articles, or a
            polars or pandas frame.
        options: which column is what, and how the file is written.

    Raises:
        UserError: see `rectune.readers.catalogue.read_catalogue`.
    """
    with as_file(catalogue) as path:
        return read_catalogue_file(path, options)


def id_text(value: object) -> str:
    """An id as the readers of tables have it: text, a whole number without a fraction (a column of numbers
    with gaps has fractions).
    """
    return re.sub(r"^(-?\d+)\.0+$", r"\1", str(value).strip())


def is_empty(value: object) -> bool:
    """Whether a cell holds nothing: None, no text, or no number."""
    return value is None or value == "" or (isinstance(value, float) and value != value)


def frame_of(given: Any) -> pl.DataFrame:
    """A polars or pandas frame as a polars frame.

    Raises:
        UserError: it is neither, or a column of it has values of several types.
    """
    import polars as pl

    if isinstance(given, pl.DataFrame):
        return given
    hint = "give a path, or a polars or pandas frame"
    try:
        return pl.from_pandas(given)
    except (TypeError, ValueError, ImportError) as refused:
        if mixed := _mixed_column(given):
            raise UserError(
                f"the column {mixed} has values of several types", hint="make all of them text, or numbers"
            ) from None
        raise UserError(f"this is no table: {refused}", hint=hint) from None


def _mixed_column(frame: Any) -> str:
    """The first column of a pandas frame whose values are of several types; "" where there is none."""
    for name in frame.columns if type(frame).__module__.startswith("pandas") else ():
        if len({type(value) for value in frame[name] if not is_empty(value)}) > 1:
            return str(name)
    return ""


@contextmanager
def as_file(given: Any) -> Iterator[Path]:
    """A table as a file: a path as it is, a frame as Parquet, so that one reader reads both.

    Raises:
        UserError: it is neither; see `frame_of`.
    """
    if isinstance(given, (str, Path)):
        yield Path(given)
        return
    frame = frame_of(given)
    with tempfile.TemporaryDirectory(prefix="rectune-") as folder:
        path = Path(folder) / "frame.parquet"
        frame.write_parquet(path)
        try:
            yield path
        except UserError as refused:  # nobody knows the file
            where = refused.where.replace(str(path), "the frame").replace(path.name, "the frame")
            raise UserError(refused.message, where=where, hint=refused.hint) from None


def read_likes(
    interactions: Any,
    item_ids: Sequence[str],
    positive_threshold: float | None = None,
    columns: Mapping[str, str] | None = None,
) -> pl.DataFrame:
    """The interactions that count as liked, oldest first: user_id, item_id; and timestamp, in milliseconds
    since 1970, where every one of them has a time.

    Args:
        interactions: a file, or a polars or pandas frame.
        item_ids: of the catalogue; interactions with others are left out and counted.
        positive_threshold: from which value on one is liked; needed where values differ.
        columns: user_id, item_id, value, timestamp -> column, where the guess would be another.

    Raises:
        UserError: it cannot be read, values differ and nothing says which are liked, or none is; or an
            argument is of another type.
    """
    import polars as pl

    if positive_threshold is not None:
        check_number("positive_threshold", positive_threshold, "a number, from which on a value is liked")
    if columns is not None:
        check_names("columns", columns, 'fields with the columns that they are in, as {"user_id": "reader"}')
        if of_items := [name for name in columns if name in ITEM_NAMES and name not in INTERACTION_NAMES]:
            raise UserError(
                f"columns are those of the interactions, which have no {of_items[0]}",
                hint=f"say it of the items: options=CatalogueOptions(columns={{{of_items[0]!r}: …}})",
            )
    drops = Drops()
    with as_file(interactions) as path:
        table = InteractionTable(path, FileFormat(), columns or {}, "click")
        found = table.columns()
        say(found.describe())
        batches = list(table.batches(found, drops))
    if not batches:
        raise UserError("there are no interactions", hint="give at least one row with a user and an item")
    rows = pl.concat(batches)
    if positive_threshold is None and rows["value"].drop_nulls().n_unique() > 1:
        low, high = (float(end) for end in (rows["value"].min(), rows["value"].max()))  # type: ignore[arg-type]
        raise UserError(
            f"values of interactions go from {low:g} to {high:g}",
            hint="say from which on one is liked: positive_threshold=4, for instance",
        )
    named = rows.drop_nulls("user_id")
    drops.add("interaction without a user", rows.height - named.height)
    known = named.filter(pl.col("item_id").is_in(list(item_ids)))
    drops.add("interaction with an unknown item", named.height - known.height)
    valued = known.drop_nulls("value")
    drops.add("interaction without a value", known.height - valued.height)
    least = 0.0 if positive_threshold is None else positive_threshold
    liked = valued.filter(pl.col("value") >= least)
    if left_out := left_out_lines(drops):
        say("\n".join(left_out))
    if mixed := values_on_both_sides(valued.lazy(), ("user_id", "item_id"), least):
        say(mixed)
    if not liked.height:
        raise UserError("no interaction counts as liked", hint="lower positive_threshold, or check the ids")
    if "timestamp" in liked.columns:
        liked = liked.sort("timestamp", maintain_order=True, nulls_last=False)
    untimed = liked["timestamp"].null_count() if "timestamp" in liked.columns else 0
    if untimed:
        say(f"{untimed:,} of {liked.height:,} likes have no time: no times count, and those come first")
    timed = "timestamp" in liked.columns and not untimed
    return liked.select("user_id", "item_id", *(["timestamp"] if timed else []))


def likes_of(
    liked: pl.DataFrame, item_ids: Sequence[str], stated: Mapping[str, Mapping[str, object]] | None = None
) -> TrainLikes:
    """Likes as the rankers take them: each pair of user and item once, at its first time.

    Args:
        liked: see `read_likes`.
        item_ids: of the catalogue.
        stated: by user what they state; nothing without it.
    """
    import polars as pl

    once = liked.unique(["user_id", "item_id"], keep="first", maintain_order=True)
    users = once["user_id"].rank("dense").cast(pl.Int64).to_numpy() - 1
    place = {item: at for at, item in enumerate(item_ids)}
    times = once["timestamp"].cast(pl.Int64).to_numpy() if "timestamp" in once.columns else None
    numbers = dict(zip(once["user_id"], users.tolist(), strict=True))
    attributes = {numbers[user]: json.dumps(own) for user, own in (stated or {}).items()}
    items = np.array([place[i] for i in once["item_id"]], np.int64)
    return TrainLikes(tuple(item_ids), users, items, times, attributes=attributes)


def histories_of(liked: pl.DataFrame) -> dict[str, list[str]]:
    """By user the items of `read_likes`, oldest first, each once."""
    users = liked.group_by(["user_id"], maintain_order=True)
    return {str(user): list(dict.fromkeys(rows["item_id"].to_list())) for (user,), rows in users}
