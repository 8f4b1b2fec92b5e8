"""The columns of one delimited file: which it has, which are wanted, and which lines are malformed."""

from __future__ import annotations

import csv
import io
import typing
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path

from rectune.core.errors import UserError
from rectune.readers.file_format import FileFormat, fields_of, separator_of
from rectune.readers.quotes import Records, all_records, field_counts, whole_records
from rectune.readers.stream import BAD_BYTE

if typing.TYPE_CHECKING:
    import polars as pl

# Columns of ours.
_OVERFLOW, _BLANK, _FAULT, _LAST = (
    "beyond the last column",
    "blank line",
    "fault of the line",
    "last is empty",
)
ONE_SIGN = "\x1f"  # stands for a separator of several characters: made for separating, and in no text
_SHORT = 255  # the code of the fault of having too few fields


class DelimitedColumns:
    """The columns of one file: which it has, which are wanted, and how text becomes values."""

    def __init__(
        self, path: Path, schema: Mapping[str, pl.DataType], required: Sequence[str], written: FileFormat
    ) -> None:
        self.names, self.written = list(written.columns), written
        self._path, self._schema, self._required = path, schema, required
        self._sign = written.separator if len(written.separator.encode()) == 1 else ONE_SIGN
        self._bad = False

    def take_header(self, text: bytes) -> tuple[bytes, int]:
        """Take the names of the columns off; returns what follows, and on which line (from 1) it begins."""
        stream = io.BytesIO(text)
        lines = (line.decode("utf-8", "replace") for line in stream)
        try:
            if self.written.quoted:
                reader = csv.reader(lines, delimiter=self._sign)
                names, ended = [name.strip() for name in next(reader, [])], reader.line_num
            else:
                names, ended = fields_of(next(lines, ""), self._sign, quoted=False), 1
        except csv.Error as broken:
            raise UserError(f"has no readable header: {broken}", where=f"{self._path}:1") from None
        if missing := [name for name in self._schema if name not in names]:
            raise UserError(
                f"has no column {', '.join(missing)}{self._other_separator(text)}",
                where=f"{self._path}:1",
                hint=f"found: {', '.join(names)[:500]}",
            )
        if repeated := [name for name in self._schema if names.count(name) > 1]:
            raise UserError(f"has two columns {repeated[0]}", where=f"{self._path}:1",
                            hint="give every column a name of its own")  # fmt: skip
        self.names = [f"{name} {at}" if name in names[:at] else name for at, name in enumerate(names)]
        return stream.read(), ended + 1

    def _other_separator(self, text: bytes) -> str:
        found = separator_of(text.partition(b"\n")[0].decode("utf-8", "replace"))
        said = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}
        if found == self.written.separator or self._sign.encode() in text.partition(b"\n")[0]:
            return ""
        return f": {said[found]} part its fields, where {said.get(self._sign, self.written.separator)} should"

    def parsed(self, text: bytes, last: bool, bad: bool = False) -> tuple[Records, pl.DataFrame]:
        """The whole records of a text, and their wanted columns with three more: blank, which fault, is the
        last empty.

        Numbers are parsed straight from the bytes. Where that fails in any line they are parsed from text,
        which takes twice the time and knows white space.

        Args:
            last: nothing follows.
            bad: some lines hold bytes that are no text (`BAD_BYTE`).

        Raises:
            UserError: records cannot be told apart.
        """
        self._bad = self._bad or bad
        if self.written.quoted:
            tsv = self.written.format == "tsv"
            records = whole_records(text, self._sign, len(self.names), last, literal=tsv)
        else:
            records = all_records(text)
        for straight in (True, False):
            frame = self._frame(records.text, straight)
            if frame is None or frame.height != records.number:
                break
            clean = frame[_FAULT].null_count() == frame.height and not frame[_BLANK].any()
            if clean or not straight:
                return records, self._with_short(records, self._without_holes(records, frame))
        raise UserError(
            "holds records that cannot be told apart", where=str(self._path), hint="fix its quotes"
        )

    def _without_holes(self, records: Records, frame: pl.DataFrame) -> pl.DataFrame:
        """The frame with a line as blank only if it holds nothing at all; another lacks what is required."""
        import polars as pl

        if not frame[_BLANK].any() or set(self._schema) >= set(self.names):
            return frame
        whole = DelimitedColumns(self._path, dict.fromkeys(self.names, pl.String()), (), self.written)
        whole.names = self.names
        found = whole._frame(records.text, straight=False)
        if found is None or found.height != frame.height:
            return frame
        holed = frame[_BLANK] & ~found[_BLANK]
        tests = list(self._tests(False))
        lacks = next((code for code, why in enumerate(tests) if why.startswith("has no ")), None)
        fault = (
            pl.col(_FAULT)
            if lacks is None
            else pl.when(holed).then(pl.lit(lacks, pl.UInt8())).otherwise(_FAULT)
        )
        return frame.with_columns(found[_BLANK], fault.alias(_FAULT))

    def _with_short(self, records: Records, frame: pl.DataFrame) -> pl.DataFrame:
        """The frame with the fault of too few fields, which polars does not tell from empty ones."""
        import numpy as np
        import polars as pl

        width = len(self.names)
        if width < 2 or not frame[_LAST].any():
            return frame
        suspect = (frame[_LAST] & ~frame[_BLANK]).to_numpy()
        counts = field_counts(records, self._sign, np.flatnonzero(suspect), self.written.quoted)
        short = suspect.copy()
        short[suspect] = counts < width
        if not short.any():
            return frame
        few = pl.Series(np.minimum(counts, 254).astype(np.uint8))
        self._few = int(few.filter(pl.Series(counts < width))[0])
        code = pl.when(pl.Series(short)).then(pl.lit(_SHORT, pl.UInt8())).otherwise(pl.col(_FAULT))
        return frame.with_columns(code.alias(_FAULT))

    def faults(self, records: Records, frame: pl.DataFrame) -> list[tuple[int, str, int]]:
        """Line (from 0), reason and count of the malformed records, the first line first."""
        found = [(line, "a quote opens here and does not close as it should", 1) for line in records.broken]
        spoilt = frame[_FAULT].is_not_null()
        if count := int(spoilt.sum()):
            first = spoilt.arg_max() or 0
            found.append((records.line_of(first), self._reason(frame[_FAULT][first]), count))
        return sorted(found)

    def _reason(self, code: int) -> str:
        if code == _SHORT:
            return f"has {self._few} of {len(self.names)} fields"
        return list(self._tests(False))[code]

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
            separator=self._sign,
            quote_char='"' if self.written.quoted else None,
            has_header=False,
            schema=types,
            missing_columns="insert",
            extra_columns="ignore",
            truncate_ragged_lines=True,
            encoding="utf8-lossy",
            ignore_errors=True,
        )
        last = pl.col(self.names[-1]).is_null()
        blank = pl.all_horizontal(pl.col(*self._schema, _OVERFLOW).is_null())
        flags = enumerate(self._tests(straight).values())
        fault = pl.coalesce(pl.when(flag).then(pl.lit(code, pl.UInt8())) for code, flag in flags)
        values = {name: self._value(name, straight) for name in self._schema}
        marks = {_BLANK: blank, _FAULT: pl.when(~blank).then(fault), _LAST: last}
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
            return column.str.to_datetime(self.written.time_format, strict=False)
        stripped = column.str.strip_chars()
        if dtype.is_float():  # a comma before one or two digits is a decimal comma
            comma = stripped.str.replace(r"^([+-]?\d+),(\d{1,2})$", "${1}.${2}")
            stripped = pl.when(stripped.str.contains(",", literal=True)).then(comma).otherwise(stripped)
        return stripped.cast(dtype, strict=False)

    def _empty(self, name: str, straight: bool) -> pl.Expr:
        import polars as pl

        column = pl.col(name)
        if straight and name in self._numbers():
            return column.is_null()
        if self._schema[name] == pl.String():
            return column.is_null() | (column == "")
        return column.is_null() | column.str.strip_chars().is_in(["", self.written.null])

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
            elif self._bad:
                tests[f"has a {name} that is not UTF-8"] = pl.col(name).str.contains(BAD_BYTE, literal=True)
        return tests
