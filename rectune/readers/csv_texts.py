"""One column of texts out of CSV, record by record."""

from __future__ import annotations

import csv
import io
import itertools
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from rectune.core.errors import UserError
from rectune.core.text.plain import printable
from rectune.readers.drops import Sizes
from rectune.readers.file_format import separator_of
from rectune.readers.json_array import LONGEST, decoded_lines
from rectune.readers.quotes import whole_records
from rectune.readers.stream import BAD_BYTE, line_chunks
from rectune.readers.text_input import LOOK, TextInput, Texts, chosen_column

_HINT = "put texts that hold separators, quotes or line ends into quotes, and double their own"
_STRAY = "malformed CSV: a quote opens no field, or does not close"
_NOT_UTF8 = "malformed: not UTF-8"
_CHUNK = 1 << 20  # bytes that are looked at together


def csv_texts(given: TextInput) -> Texts:
    """The texts of the column that is asked for or found, None for a malformed record.

    Raises:
        UserError: the header line is no text, two columns bear one name, or no column is the one.
    """
    lines = decoded_lines(given.stream, given.where, bad=given.not_utf8)
    header = next(lines).removeprefix("\ufeff")
    if BAD_BYTE in header:
        raise UserError("malformed: not UTF-8", where=f"{given.where}:1", hint=given.faults.hint)
    csv.field_size_limit(LONGEST)
    separator = separator_of(header)
    rows = csv.reader(itertools.chain([header], lines), delimiter=separator, strict=True)
    names = _header(rows, given)
    records = _records(given, separator, len(names), rows.line_num)
    head, good = list[list[str] | None](), list[list[str]]()
    for row in records:
        head.append(row)
        good += [row] if row else []
        if len(good) == LOOK:
            break
    texts = [name for place, name in enumerate(names) if any(_is_text(row[place]) for row in good)]
    place = names.index(chosen_column(names, texts or names, given))
    return _column(itertools.chain(head, records), place)


def _header(rows: Any, given: TextInput) -> list[str]:
    try:
        names: list[str] = next(rows, [])
    except csv.Error as broken:
        raise UserError(f"malformed CSV: {broken}", where=f"{given.where}:1", hint=_HINT) from None
    if repeated := [name for at, name in enumerate(names) if name and name in names[:at]]:
        raise UserError(f"has two columns {printable(repeated[0])}", where=f"{given.where}:1",
                        hint="give every column a name of its own")  # fmt: skip
    return names


def _records(given: TextInput, separator: str, width: int, line: int) -> Iterator[list[str] | None]:
    """The fields of each record behind the header, None where it is malformed.

    Blank lines are left out, but for a file of one column, where they are records without fields.

    Args:
        line: the number (from 1) of the last line of the header.
    """
    rest = b""
    sizes = Sizes(chunk=_CHUNK, longest=LONGEST)
    for chunk in itertools.chain(line_chunks(given.stream, _CHUNK, sizes, given.where), [b""]):
        records = whole_records(rest + _as_utf8(chunk, given), separator, width, last=not chunk)
        rest, stray = records.rest, set(records.broken)
        for start, count, row, fault in _parsed(records.text.decode(), separator):
            if fault := _STRAY if start in stray else fault or _fault(row, width):
                given.faults.hint = given.faults.hint if fault == _NOT_UTF8 else _HINT
                given.fault(line + start + 1, fault, count)
                yield None
            elif row or width == 1:
                yield row
        line += records.lines


def _parsed(text: str, separator: str) -> Iterator[tuple[int, int, list[str], str]]:
    """Each record: the line on which it begins (from 0), its lines, its fields, and what is malformed."""
    rows = csv.reader(io.StringIO(text), delimiter=separator, strict=True)
    before = 0
    while True:
        fields, fault = list[str](), ""
        try:
            fields = next(rows)
        except StopIteration:
            return
        except csv.Error as broken:
            fault = f"malformed CSV: {broken}"
        yield before, rows.line_num - before, fields, fault
        before = rows.line_num


def _fault(row: Sequence[str], width: int) -> str:
    """What is wrong with a record, in words; empty for nothing, and for a blank line."""
    if any(BAD_BYTE in field for field in row):
        return _NOT_UTF8
    if row and len(row) < width:
        return f"has {len(row)} of the {width} fields that the header has"
    return f"has more than the {width} fields that the header has" if len(row) > width else ""


def _as_utf8(lines: bytes, given: TextInput) -> bytes:
    """The lines, with `BAD_BYTE` in the place of bytes that are not UTF-8."""
    try:
        lines.decode()
        return lines
    except UnicodeDecodeError:
        return b"".join(_repaired(each, given) for each in lines.splitlines(keepends=True))


def _repaired(line: bytes, given: TextInput) -> bytes:
    try:
        line.decode()
        return line
    except UnicodeDecodeError:
        given.not_utf8(line)
        return line.decode("utf-8", "replace").replace("\ufffd", BAD_BYTE).encode()


def _column(rows: Iterable[Sequence[str] | None], place: int) -> Texts:
    for row in rows:
        yield None if row is None else row[place] if row else ""


def _is_text(field: str) -> bool:
    if not field.strip():
        return False
    try:
        float(field)
    except ValueError:
        return True
    return False
