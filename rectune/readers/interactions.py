"""A table of interactions of a recipe's own dataset, in batches."""

from __future__ import annotations

import typing
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rectune.core.errors import UserError
from rectune.readers import table
from rectune.readers.cells import missing_ids
from rectune.readers.columns import INTERACTION_NAMES, Columns, find_columns, shown
from rectune.readers.drops import Drops
from rectune.readers.file_format import FileFormat
from rectune.readers.items import refuse_rewritten
from rectune.readers.raw import interaction_frame, review_frame
from rectune.readers.times import Clock

if typing.TYPE_CHECKING:
    import polars as pl

_NO_VALUE = ("nan", "na", "n/a", "null", "none", "<na>", "nat", "-", "\\n")  # folded


@dataclass(frozen=True)
class InteractionTable:
    """Where interactions are, what its columns are, and what an interaction is (`kind`)."""

    path: Path
    written: FileFormat
    mapped: Mapping[str, str]
    kind: str

    def columns(self) -> Columns:
        """Its columns.

        Raises:
            UserError: see `find_columns`; or interactions are ratings and no column holds any.
        """
        there = table.columns(self.path, self.written)
        needed = ("user_id", "item_id")
        found = find_columns(self.path, there, INTERACTION_NAMES, self.mapped, needed)
        if self.kind == "rating" and "value" not in found.taken and "value" not in self.mapped:
            raise UserError(
                f"no column looks like ratings; not used: {shown(found.unused) or 'none'}",
                where=str(self.path),
                hint="name it as value: COLUMN in interaction_columns; or say what an interaction is: kind: "
                'click, purchase, play or review; or that all count alike, with value: ""',
            )
        return found

    def batches(self, found: Columns, drops: Drops) -> Iterator[pl.DataFrame]:
        """The interactions with the columns of `rectune.readers.raw.interaction_columns`.

        A row without a value where there is a column of them has none, and is never liked.

        Raises:
            UserError: see `table.batches` and `Clock`; or more values than may be cannot be read.
        """
        import polars as pl

        types = {
            "user_id": pl.String(),
            "item_id": pl.String(),
            "value": pl.Float64(),
            "timestamp": pl.String(),
        }
        values = _Values(self.path, found.taken.get("value", ""), drops)
        for rows in self._rows(found, types, drops):
            rows = values.read(rows) if "value" in found.taken else rows.with_columns(value=pl.lit(1.0))
            yield interaction_frame(rows, self.kind)
        values.close()

    def reviews(self, found: Columns, drops: Drops) -> Iterator[pl.DataFrame]:
        """What was written, with the columns of `rectune.readers.raw.review_columns`; nothing where no column
        is mapped to `text`.

        Raises:
            UserError: see `table.batches` and `Clock`.
        """
        import polars as pl

        if "text" not in found.taken:
            return
        types = dict.fromkeys(("user_id", "item_id", "timestamp", "text", "helpful"), pl.String())
        for rows in self._rows(found, types, drops):
            votes = pl.col("helpful") if "helpful" in rows.columns else pl.lit(None, pl.String)
            digits = votes.str.replace_all(",", "", literal=True).str.extract(r"^\s*(\d+)")
            yield review_frame(rows.with_columns(helpful=digits))

    def _rows(self, found: Columns, types: Mapping[str, pl.DataType], drops: Drops) -> Iterator[pl.DataFrame]:
        """The fields of these types, with ids and times read."""
        taken = {name: column for name, column in found.taken.items() if name in types}
        schema = {column: types[name] for name, column in taken.items()}
        needed = [taken["user_id"], taken["item_id"]]
        clock = Clock(self.path, taken.get("timestamp", ""), drops, self.written.time_format)
        for batch in table.batches(self.path, schema, needed, drops, self.written):
            rows = batch.rename({column: name for name, column in taken.items()})
            rows = rows.with_columns(
                user_id=ids(rows["user_id"], self.path), item_id=ids(rows["item_id"], self.path)
            )
            yield clock.read(rows) if "timestamp" in taken else rows


def ids(column: pl.Series, path: Path) -> pl.Series:
    """Ids as text: without white space around them, whole numbers without a fraction; null for what stands
    for none.

    Raises:
        UserError: a spreadsheet has rewritten them.
    """
    import polars as pl

    bare = column.cast(pl.String).str.strip_chars().str.replace(r"^(-?\d+)\.0+$", "$1")
    rewritten = bare.filter(bare.str.contains("+", literal=True).fill_null(False))
    for item_id in rewritten.unique():
        refuse_rewritten(item_id, path)
    return pl.select(pl.when(~bare.is_in(missing_ids())).then(bare)).to_series().alias(column.name)


def values_on_both_sides(rows: pl.LazyFrame, pair: Sequence[str], least: float) -> str:
    """What to say of pairs of user and item that have a liked value and another one; empty where none has.

    Args:
        rows: the columns of `pair`, and value.
        pair: the columns of the user and the item.
        least: from which value on something is liked.
    """
    import polars as pl

    liked = pl.col("value") >= least
    mixed = rows.drop_nulls("value").group_by(pair).agg(liked.any() & ~liked.all())
    found = mixed.select(pl.col("value").sum()).collect(engine="streaming").item()
    if not found:
        return ""
    return f"{found:,} pairs of user and item have values below {least:g} and others: they count as liked"


class _Values:
    """Reads one column of values; what is no number is left out and counted, up to the limit of malformed
    lines.
    """

    def __init__(self, path: Path, column: str, drops: Drops) -> None:
        self._path, self._column, self._drops = path, column, drops
        self._bad = self._seen = 0
        self._first = ""

    def read(self, rows: pl.DataFrame) -> pl.DataFrame:
        """The rows with their `value` as a finite number, null where there is none."""
        import polars as pl

        self._seen += rows.height
        value = rows["value"]
        if value.dtype == pl.String():
            bare = value.str.strip_chars().str.replace(r"^([+-]?\d+),(\d{1,2})$", "${1}.${2}")
            number = bare.cast(pl.Float64, strict=False)
            none = bare.is_null() | (bare == "") | bare.str.to_lowercase().is_in(_NO_VALUE)
            bad = number.is_null() & ~none
            if bad.any():
                self._bad += int(bad.sum())
                self._first = self._first or str(value.filter(bad)[0])[:60]
                rows, number = rows.filter(~bad), number.filter(~bad)
            value = number
        finite = pl.select(pl.when(value.is_finite()).then(value)).to_series()
        return rows.with_columns(value=finite.cast(pl.Float64))

    def close(self) -> None:
        """Tell what was left out, after the last row.

        Raises:
            UserError: more than may be.
        """
        if self._bad > self._drops.malformed_limit * self._seen:
            raise UserError(
                f"{self._bad:,} of {self._seen:,} values of the column {self._column} are no numbers: "
                f"{self._first}",
                where=str(self._path),
                hint='map value to another column, or to "" to count every row alike',
            )
        where = f"{self._path.name}: {self._column} {self._first}"
        self._drops.add("value that is no number", self._bad, where)
