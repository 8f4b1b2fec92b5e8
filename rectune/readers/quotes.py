"""Where records of a quoted file begin and end, and which lines a stray quote has spoilt."""

from __future__ import annotations

import csv
import io
import itertools
import re
import typing
from collections.abc import Sequence
from typing import NamedTuple

if typing.TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_DIGITS, _LETTERS = re.compile(rb"\d+"), re.compile(rb"[A-Za-z\x80-\xff]+")
csv.field_size_limit(1 << 27)  # bytes; the longest line is bounded where files are read
_SHORT = 12  # lines: most records of several lines have fewer
_LONG = 200  # lines: no published record is longer, so a longer one began with a quote that never closed


class Records(NamedTuple):
    """Whole records as text, line for line as in the file: what is left out of it is there as a blank line.

    `rest` is what belongs to the next records, `lines` counts the lines of `text`, `joined` are the first
    lines (from 0) of records that span more than one, with the number of lines they add, `broken` the lines
    left out.
    """

    text: bytes
    rest: bytes
    lines: int
    joined: list[tuple[int, int]]
    broken: list[int]

    @property
    def number(self) -> int:
        """Records, blank lines too."""
        return self.lines - sum(extra for _, extra in self.joined)

    def line_of(self, record: int) -> int:
        """The line (from 0) on which a record (from 0) begins."""
        line = record
        for start, extra in self.joined:
            if start >= line:
                break
            line += extra
        return line


def all_records(text: bytes) -> Records:
    """The records of a text in which quotes are data: every line is one."""
    import numpy as np

    ends = int(np.count_nonzero(np.frombuffer(text, np.uint8) == ord("\n")))  # twice as fast as bytes.count
    return Records(text, b"", ends + (text[-1:] not in (b"\n", b"")), [], [])


def whole_records(text: bytes, separator: str, width: int, last: bool, literal: bool = False) -> Records:
    """The records that begin and end in `text`, which begins with a record and ends with a line.

    Lines with an odd number of quotes, or with a quote at a place where none opens, closes or is doubled, are
    looked at one by one: they belong to a record of several lines, or hold a quote that opens no field (that
    record is written anew, in quotes), or are broken.

    Args:
        text: UTF-8, with quotes inside quotes doubled.
        separator: one ASCII character.
        width: of fields; what is written anew keeps one more at most, by which it shows that there are too
            many.
        last: nothing follows; otherwise a record that does not end here is left for later.
        literal: quotes of a broken line are data.
    """
    if b'"' not in text:
        return all_records(text)
    ends, suspects = _suspects(text, separator.encode())
    starts = [0, *ends.tolist()]
    parts: list[bytes] = []
    joined: list[tuple[int, int]] = []
    broken: list[int] = []
    begin = 0
    for line in suspects.tolist():
        if line < begin:  # inside a record of several lines
            continue
        for most in (_SHORT, _LONG):
            window = [text[a:b] for a, b in itertools.pairwise(starts[line : line + most + 1])]
            size, record = _first_record(window, separator, width)
            if size:
                break
        if not size and not last and line + _LONG >= len(starts) and _may_go_on(window, separator):
            parts.append(text[starts[begin] : starts[line]])
            return Records(b"".join(parts), text[starts[line] :], line, joined, broken)
        if not size and literal:
            size, record = 1, _as_data(window[0], separator)
        parts += (text[starts[begin] : starts[line]], record)
        begin = line + (size or 1)
        if size > 1:
            joined.append((line, size - 1))
        if not size:
            broken.append(line)
    parts.append(text[starts[begin] :])
    return Records(b"".join(parts), b"", len(ends), joined, broken)


def _suspects(text: bytes, separator: bytes) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """[lines] the end of each line, and [n] the lines whose quotes are odd in number or in place."""
    import numpy as np

    signs = np.frombuffer(text, np.uint8)
    ends = np.flatnonzero(signs == ord("\n")) + 1
    if not len(ends) or ends[-1] != len(text):
        ends = np.append(ends, len(text))
    quotes = np.flatnonzero(signs == ord('"'))
    line = np.searchsorted(ends, quotes, side="right")
    first = np.flatnonzero(np.diff(line, prepend=-1))  # the first quote of each line that has any
    count = np.diff(first, append=len(quotes))
    opens = (np.arange(len(quotes)) - np.repeat(first, count)) % 2 == 0
    around = np.frombuffer(b"\n" + text + b"\n", np.uint8)
    before, after = around[quotes], around[quotes + 2]
    at_border = np.frombuffer(separator + b'\n"', np.uint8)
    fine = np.where(opens, np.isin(before, at_border), np.isin(after, at_border) | (after == ord("\r")))
    odd = np.zeros(len(ends), bool)
    odd[line[first][count % 2 == 1]] = True
    odd[line[~fine]] = True
    return ends, np.flatnonzero(odd)


def _first_record(lines: Sequence[bytes], separator: str, width: int) -> tuple[int, bytes]:
    """How many lines the first record takes and the record written anew; 0 and a blank line if it has no end.

    Neither has one that would swallow records: several lines that give another number of fields than a record
    has, or that look like records each (then two stray quotes made one field of what lies between them).
    """
    reader = csv.reader(
        (line.decode("utf-8", "surrogateescape") for line in lines), delimiter=separator, strict=True
    )
    try:
        fields = next(reader)
    except csv.Error:
        return 0, b"\n"
    size = reader.line_num
    wrong = len(fields) < width or any(fields[width:])
    if size > 1 and (wrong or _like_records(lines[:size], separator.encode(), width)):
        return 0, b"\n"
    written = io.StringIO()
    csv.writer(written, delimiter=separator).writerow(fields[: width + 1])
    return size, written.getvalue().encode("utf-8", "surrogateescape")


def _like_records(lines: Sequence[bytes], separator: bytes, width: int) -> bool:
    """Whether each line has as many fields as a record, and the same kind of signs in the first (or last) of
    them.
    """
    if width < 2:
        return False
    fields = [line.rstrip(b"\r\n").split(separator) for line in lines]
    place = -1 if fields[0][0].startswith(b'"') else 0
    return (
        all(len(each) == width for each in fields)
        and bool(fields[0][place].strip())
        and len({_shape(each[place]) for each in fields}) == 1
    )


def _shape(field: bytes) -> bytes:
    """Runs of digits as 9, of letters as a."""
    return _LETTERS.sub(b"a", _DIGITS.sub(b"9", field.strip(b'" ')))


def _may_go_on(lines: Sequence[bytes], separator: str) -> bool:
    """Whether what follows could end the record that these lines begin."""
    text = (line.decode("utf-8", "surrogateescape") for line in lines)
    try:
        next(csv.reader(text, delimiter=separator, strict=True))
    except csv.Error as broken:
        return "unexpected end" in str(broken)
    return False


def _as_data(line: bytes, separator: str) -> bytes:
    """The line written anew as a record whose fields hold its quotes."""
    text = line.decode("utf-8", "surrogateescape").rstrip("\r\n")
    written = io.StringIO()
    csv.writer(written, delimiter=separator).writerow(text.split(separator))
    return written.getvalue().encode("utf-8", "surrogateescape")


def field_counts(
    records: Records, separator: str, wanted: NDArray[np.int64], quoted: bool
) -> NDArray[np.int64]:
    """[len(wanted)] how many fields some records (by their place, ascending) have.

    Args:
        separator: one ASCII character.
        quoted: separators and line ends in quotes are data.
    """
    import numpy as np

    signs = np.frombuffer(records.text, np.uint8)
    parts = np.flatnonzero(signs == ord(separator))
    ends = np.flatnonzero(signs == ord("\n"))
    if not len(signs) or signs[-1] != ord("\n"):
        ends = np.append(ends, len(signs))
    if quoted and b'"' in records.text:
        # Every quote of these records opens, closes or is one of two, so an even number of them lies before
        # what is free.
        quotes = np.flatnonzero(signs == ord('"'))
        parts = parts[np.searchsorted(quotes, parts) % 2 == 0]
        ends = ends[np.searchsorted(quotes, ends) % 2 == 0]
    before = np.searchsorted(parts, ends)
    counts: NDArray[np.int64] = (np.diff(before, prepend=0) + 1)[wanted]
    return counts
