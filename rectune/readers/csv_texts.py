"""One column of texts out of CSV, record by record."""

from __future__ import annotations

import csv
import itertools
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from rectune.core.errors import UserError
from rectune.core.text.plain import printable
from rectune.readers.file_format import separator_of
from rectune.readers.json_array import LONGEST, decoded_lines
from rectune.readers.stream import BAD_BYTE
from rectune.readers.text_input import LOOK, TextInput, Texts, chosen_column

_HINT = "put texts that hold separators, quotes or line ends into quotes, and double their own"


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
    rows = csv.reader(itertools.chain([header], lines), delimiter=separator_of(header), strict=True)
    names = _header(rows, given)
    records = _records(rows, given, len(names))
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


def _records(rows: Any, given: TextInput, width: int) -> Iterator[list[str] | None]:
    """The fields of each record, none for a blank line in a file of one column, None where it is malformed.

    A quote that does not close takes all lines behind it along: they count as malformed.
    """
    while True:
        before = rows.line_num
        try:
            row = next(rows, None)
        except csv.Error as broken:
            given.faults.hint = _HINT
            given.fault(before + 1, f"malformed CSV: {broken}", rows.line_num - before)
            yield None
            continue
        if row is None:
            return
        if any(BAD_BYTE in field for field in row):
            given.fault(before + 1, "malformed: not UTF-8", rows.line_num - before)
            yield None
        elif row and len(row) != width:
            given.faults.hint = _HINT
            given.fault(before + 1, f"has {len(row)} fields, the header {width}", rows.line_num - before)
            yield None
        elif row or width == 1:
            yield row


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
