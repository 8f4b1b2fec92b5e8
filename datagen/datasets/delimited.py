"""Comma-, tab- and otherwise separated files, read as columns, with malformed lines counted and located."""

from __future__ import annotations

import csv
import gzip
import io
import itertools
import re
import typing
import warnings
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from rectune.core.errors import UserError
from rectune.core.prefetch import prefetch
from rectune.datagen.datasets.quotes import Records, all_records, whole_records
from rectune.datagen.datasets.raw import Drops, Faults, Sizes

if typing.TYPE_CHECKING:
    import polars as pl

_OVERFLOW, _BLANK, _FAULT = "beyond the last column", "blank line", "fault of the line"  # columns of ours
_ONE_SIGN = "\x1f"  # stands for a separator of several characters: made for separating, and in no text
_ESCAPED = re.compile(rb'\\(["\\]|\r?\n)')


@dataclass(frozen=True)
class Dialect:
    """How a file is written.

    `header` names the columns of a file without a header line, `time` is the format of Datetime columns.
    `encoding` is utf-8 or, of files that may also be UTF-8, latin-1. `escaped`: a backslash and not a second
    quote stands before a quote in a quoted field. `null` stands for no value in columns that are not text.
    """

    separator: str = ","
    quoted: bool = True
    header: tuple[str, ...] = ()
    time: str = ""
    encoding: str = "utf-8"
    escaped: bool = False
    null: str = ""

    @property
    def sign(self) -> str:
        """The separator as one character."""
        return self.separator if len(self.separator) == 1 else _ONE_SIGN


_COMMAS = Dialect()
_SIZES = Sizes(chunk=16 << 20)  # about a million ratings


def read_delimited(
    path: Path,
    schema: Mapping[str, pl.DataType],
    required: Sequence[str],
    drops: Drops,
    dialect: Dialect = _COMMAS,
    sizes: Sizes = _SIZES,
) -> pl.DataFrame:
    """Some columns of a delimited file, in the file's order; see `scan_delimited`."""
    import polars as pl

    return pl.concat(
        [pl.DataFrame(schema=schema), *scan_delimited(path, schema, required, drops, dialect, sizes)]
    )


def scan_delimited(
    path: Path,
    schema: Mapping[str, pl.DataType],
    required: Sequence[str],
    drops: Drops,
    dialect: Dialect = _COMMAS,
    sizes: Sizes = _SIZES,
) -> Iterator[pl.DataFrame]:
    """Some columns of a delimited file (plain or .gz) in batches, in the file's order, in bounded memory.

    A line is malformed when it has too many fields, lacks a `required` value, holds a value of another type
    than the schema's (a number that is not finite too), or opens a quote that does not close. Malformed lines
    are left out and counted in `drops` when the file was read to its end; blank ones are left out.

    Raises:
        UserError: the file cannot be read, lacks a column, or more of its lines are malformed than may be.
    """
    faults, seen, line, rest = Faults(path), 0, 1, b""
    table = _Table(path, schema, required, dialect)
    for chunk in itertools.chain(prefetch(_chunks(path, sizes)), [b""]):
        text = rest + _transcoded(chunk, dialect)
        if not table.names:
            text, line = table.take_header(text)
        records, frame = table.parsed(text, last=not chunk)
        for place, why, count in table.faults(records, frame):
            faults.add(line + place, why, count)
        seen, line, rest = seen + records.number, line + records.lines, records.rest
        if frame.height:
            yield table.usable(frame)
    faults.close(seen, drops)


def _chunks(path: Path, sizes: Sizes) -> Iterator[bytes]:
    """The bytes of a plain or gzipped file, cut at ends of lines.

    Raises:
        UserError: the file is empty or cannot be read, or its compressed data is broken or ends too soon.
    """
    empty = True
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as opened:
            stream = typing.cast(IO[bytes], opened)
            while chunk := stream.read(sizes.chunk):
                rest = stream.readline(sizes.longest)
                if len(rest) == sizes.longest:
                    raise UserError(f"has a line of {sizes.longest:,} bytes or more", where=str(path))
                yield (chunk.removeprefix(b"\xef\xbb\xbf") if empty else chunk) + rest
                empty = False
    except (OSError, EOFError, zlib.error) as broken:
        hint = "get the file again from its publisher"
        raise UserError(f"cannot be read: {broken}", where=str(path), hint=hint) from None
    if empty:
        raise UserError("is empty", where=str(path), hint="get the file again from its publisher")


def _transcoded(chunk: bytes, dialect: Dialect) -> bytes:
    """Line for line the same in UTF-8, with quotes doubled in place of escapes and a separator of one character."""
    if dialect.encoding != "utf-8" and not chunk.isascii():
        try:
            chunk.decode()
        except UnicodeDecodeError:
            chunk = chunk.decode(dialect.encoding).encode()
    if dialect.escaped and b"\\" in chunk:
        chunk = _ESCAPED.sub(lambda match: b'""' if match[1] == b'"' else match[1], chunk)
    if dialect.sign != dialect.separator:
        chunk = chunk.replace(dialect.separator.encode(), dialect.sign.encode())
    return chunk


class _Table:
    """The columns of one file: which it has, which are wanted, and how text becomes values."""

    def __init__(
        self, path: Path, schema: Mapping[str, pl.DataType], required: Sequence[str], dialect: Dialect
    ) -> None:
        self.names = list(dialect.header)
        self._path, self._schema, self._required, self._dialect = path, schema, required, dialect

    def take_header(self, text: bytes) -> tuple[bytes, int]:
        """Take the names of the columns off; returns what follows, and on which line (from 1) it begins."""
        stream = io.BytesIO(text)
        reader = csv.reader(
            (line.decode("utf-8", "replace") for line in stream), delimiter=self._dialect.sign
        )
        try:
            names = [name.strip() for name in next(reader, [])]
        except csv.Error as broken:
            raise UserError(f"has no readable header: {broken}", where=f"{self._path}:1") from None
        if missing := [name for name in self._schema if name not in names]:
            found = f"found: {', '.join(names)[:500]}"
            raise UserError(f"has no column {', '.join(missing)}", where=f"{self._path}:1", hint=found)
        self.names = [f"{name} {at}" if name in names[:at] else name for at, name in enumerate(names)]
        return stream.read(), reader.line_num + 1

    def parsed(self, text: bytes, last: bool) -> tuple[Records, pl.DataFrame]:
        """The whole records of a text, and their wanted columns with two more: blank, and which fault.

        Numbers are parsed straight from the bytes. Where that fails in any line they are parsed from text, which
        takes twice the time and knows white space.

        Raises:
            UserError: records cannot be told apart.
        """
        for every in (False, True):
            if self._dialect.quoted:
                records = whole_records(text, self._dialect.sign, len(self.names), last, every)
            else:
                records = all_records(text)
            for straight in (True, False):
                frame = self._frame(records.text, straight)
                if frame is None or frame.height != records.number:
                    break
                clean = frame[_FAULT].null_count() == frame.height and not frame[_BLANK].any()
                if clean or not straight:
                    return records, frame
        raise UserError(
            "holds records that cannot be told apart", where=str(self._path), hint="fix its quotes"
        )

    def faults(self, records: Records, frame: pl.DataFrame) -> list[tuple[int, str, int]]:
        """Line (from 0), reason and count of the malformed records, the first line first."""
        found = [(line, "a quote opens here and does not close as it should", 1) for line in records.broken]
        spoilt = frame[_FAULT].is_not_null()
        if count := int(spoilt.sum()):
            first = spoilt.arg_max() or 0
            found.append((records.line_of(first), list(self._tests(False))[frame[_FAULT][first]], count))
        return sorted(found)

    def usable(self, frame: pl.DataFrame) -> pl.DataFrame:
        """The wanted columns of the records that are neither blank nor malformed."""
        import polars as pl

        return frame.filter(pl.col(_FAULT).is_null() & ~pl.col(_BLANK)).select(*self._schema)

    def _frame(self, text: bytes, straight: bool) -> pl.DataFrame | None:
        """None where polars finds the quotes in disorder."""
        import polars as pl

        types = dict.fromkeys([*self.names, _OVERFLOW], pl.String()) | (self._numbers() if straight else {})
        table = pl.scan_csv(
            io.BytesIO(text or b"\n"),
            separator=self._dialect.sign,
            quote_char='"' if self._dialect.quoted else None,
            has_header=False,
            schema=types,
            missing_columns="insert",
            extra_columns="ignore",
            truncate_ragged_lines=True,
            encoding="utf8-lossy",
            ignore_errors=True,
        )
        blank = pl.all_horizontal(pl.col(*self._schema, _OVERFLOW).is_null())
        flags = enumerate(self._tests(straight).values())
        fault = pl.coalesce(pl.when(flag).then(pl.lit(code, pl.UInt8())) for code, flag in flags)
        values = {name: self._value(name, straight) for name in self._schema}
        marks = {_BLANK: blank, _FAULT: pl.when(~blank).then(fault)}
        try:
            with warnings.catch_warnings(action="ignore"):  # of disorder, which the number of rows shows
                frame = table.select(**values, **marks).collect(engine="streaming")
        except pl.exceptions.PolarsError:
            return None
        return frame if text else frame.clear()

    def _numbers(self) -> dict[str, pl.DataType]:
        """The columns that can be parsed straight: where null needs no telling apart from a faulty value."""
        return {name: self._schema[name] for name in self._required if self._schema[name].is_numeric()}

    def _value(self, name: str, straight: bool) -> pl.Expr:
        import polars as pl

        column, dtype = pl.col(name), self._schema[name]
        if dtype == pl.String() or (straight and name in self._numbers()):
            return column
        if dtype == pl.Datetime():
            return column.str.to_datetime(self._dialect.time, strict=False)
        return column.str.strip_chars().cast(dtype, strict=False)

    def _empty(self, name: str, straight: bool) -> pl.Expr:
        import polars as pl

        column = pl.col(name)
        if straight and name in self._numbers():
            return column.is_null()
        if self._schema[name] == pl.String():
            return column.is_null() | (column == "")
        return column.is_null() | column.str.strip_chars().is_in(["", self._dialect.null])

    def _tests(self, straight: bool) -> dict[str, pl.Expr]:
        """What makes a line malformed, in words, and how it is found."""
        import polars as pl

        tests = {f"has more than {len(self.names)} fields": pl.col(_OVERFLOW).is_not_null()}
        for name, dtype in self._schema.items():
            value, empty = self._value(name, straight), self._empty(name, straight)
            if name in self._required:
                tests[f"has no {name}"] = empty
            if dtype.is_float():
                value = pl.when(value.is_finite()).then(value)
            if dtype != pl.String():
                tests[f"has an unusable {name}"] = value.is_null() & ~empty
        return tests
