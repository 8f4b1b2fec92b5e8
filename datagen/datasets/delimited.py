"""Comma- and tab-separated files, read as columns, with malformed lines counted and located."""

from __future__ import annotations

import csv
import typing
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from datagen.datasets.raw import Drops, Faults
from rectune.errors import UserError

if typing.TYPE_CHECKING:
    import polars as pl

# Names of our own columns, beside those of a file.
_OVERFLOW, _BLANK, _BAD = "beyond the last column", "blank line", "malformed line"
_LONG = 20  # lines: no record of ours is longer, so a longer one began with a quote that never closed


@dataclass(frozen=True)
class Dialect:
    """How a file is written.

    `header` names the columns of a file without a header line, `time` is the format of Datetime columns.
    """

    separator: str = ","
    quoted: bool = True
    header: tuple[str, ...] = ()
    time: str = ""


def read_delimited(
    path: Path,
    schema: Mapping[str, pl.DataType],
    required: Sequence[str],
    drops: Drops,
    dialect: Dialect = Dialect(),
) -> pl.DataFrame:
    """Some columns of a delimited file, in the file's order.

    A line is malformed when it has too many fields, lacks a `required` value, or holds a value of another
    type than the schema's. Malformed lines are left out and counted in `drops`; blank ones are left out.

    Raises:
        UserError: the file cannot be read, lacks a column, or more than 1 % of its lines are malformed.
    """
    import polars as pl

    names = dialect.header or _header(path, dialect)
    if missing := [name for name in schema if name not in names]:
        found = f"found: {', '.join(names)}"
        raise UserError(f"has no column {', '.join(missing)}", where=f"{path}:1", mend=found)
    typed = {name: _typed(name, dtype, dialect.time) for name, dtype in schema.items()}
    blank = pl.all_horizontal(pl.col(*schema, _OVERFLOW).is_null())
    flags = [pl.col(_OVERFLOW).is_not_null(), *(typed[name].is_null() for name in required)]
    flags += [pl.col(name).is_not_null() & column.is_null() for name, column in typed.items()]
    marks = {_BLANK: blank, _BAD: pl.any_horizontal(flags) & ~blank}
    table = _collected(_scan(path, names, dialect).select(**typed, **marks), path)
    _count(path, table[_BAD], drops, dialect)
    return table.filter(~pl.col(_BAD) & ~pl.col(_BLANK)).select(*schema)


def _scan(path: Path, names: Sequence[str], dialect: Dialect) -> pl.LazyFrame:
    """Everything as text, with one column more than the header has, so that overlong lines show."""
    import polars as pl

    return pl.scan_csv(
        path,
        separator=dialect.separator,
        quote_char='"' if dialect.quoted else None,
        has_header=not dialect.header,
        schema={name: pl.String() for name in (*names, _OVERFLOW)},
        missing_columns="insert",
        truncate_ragged_lines=True,
        encoding="utf8-lossy",
    )


def _typed(name: str, dtype: pl.DataType, time: str) -> pl.Expr:
    import polars as pl

    column = pl.col(name)
    if dtype == pl.String():
        return column
    if dtype == pl.Datetime():
        return column.str.to_datetime(time, strict=False)
    return column.str.strip_chars().cast(dtype, strict=False)


def _collected(frame: pl.LazyFrame, path: Path) -> pl.DataFrame:
    import polars as pl

    try:
        return frame.collect(engine="streaming")
    except (pl.exceptions.PolarsError, OSError) as broken:
        place = _unclosed_quote(path)
        why = "a quote opens here and does not close"
        if not place:
            why = f"cannot be read: {str(broken).splitlines()[0][:200]}"
        where = f"{path}:{place}" if place else str(path)
        raise UserError(why, where=where, mend="mend the file or get it again") from None


def _header(path: Path, dialect: Dialect) -> list[str]:
    try:
        with path.open(encoding="utf-8-sig", errors="replace", newline="") as stream:
            names = next(csv.reader(stream, delimiter=dialect.separator), [])
    except (OSError, csv.Error) as broken:
        raise UserError(f"cannot be read: {broken}", where=str(path)) from None
    if not names:
        raise UserError("is empty", where=str(path), mend="get the file again from its publisher")
    return names


def _count(path: Path, bad: pl.Series, drops: Drops, dialect: Dialect) -> None:
    faults = Faults(path)
    if count := int(bad.sum()):
        row = bad.arg_max() or 0
        line = _line_of(path, row + (not dialect.header)) if dialect.quoted else row + 1
        faults.add(line, "wrong number of fields, or a value of another type", count)
    faults.close(len(bad), drops)


def _line_of(path: Path, record: int) -> int:
    """The line (from 1) on which a record (from 0, the header too) begins; quoted fields may span lines."""
    with path.open(encoding="utf-8", errors="replace", newline="") as stream:
        reader, begin = csv.reader(stream), 1
        for index, _ in enumerate(reader):
            if index == record:
                break
            begin = reader.line_num + 1
    return begin


def _unclosed_quote(path: Path) -> int:
    """The line (from 1) of the first record that runs on and on; 0 if there is none."""
    begin = 1
    try:
        with path.open(encoding="utf-8", errors="replace", newline="") as stream:
            reader = csv.reader(stream)
            for _ in reader:
                if reader.line_num - begin >= _LONG:
                    return begin
                begin = reader.line_num + 1
    except csv.Error:  # a field of more than 128 KiB: an unclosed quote too
        return begin
    except OSError:
        return 0
    return 0
