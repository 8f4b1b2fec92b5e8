"""Where records of a quoted file begin and end, and which lines a stray quote has spoilt."""

from __future__ import annotations

import csv
import io
import itertools
import typing
from collections.abc import Sequence
from typing import NamedTuple

if typing.TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_LONG = 200  # lines: no published record is longer, so a longer one began with a quote that never closed


class Records(NamedTuple):
    """Whole records as text, line for line as in the file: what is left out of it is there as a blank line.

    `rest` is what belongs to the next records, `lines` counts the lines of `text`, `joined` are the first lines
    (from 0) of records that span more than one, with the number of lines they add, `broken` the lines left out.
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


def whole_records(text: bytes, separator: str, width: int, last: bool, every: bool = False) -> Records:
    """The records that begin and end in `text`, which begins with a record and ends with a line.

    Lines with an odd number of quotes are looked at one by one: they belong to a record of several lines, or
    hold a quote that opens no field (that record is written anew, in quotes), or are broken.

    Args:
        text: UTF-8, with quotes inside quotes doubled.
        separator: one ASCII character.
        width: of fields; what is written anew keeps one more at most, by which it shows that there are too many.
        last: nothing follows; otherwise a record that does not end here is left for later.
        every: look at all lines with quotes, for text in which the odd ones do not tell enough.
    """
    if b'"' not in text:
        return all_records(text)
    ends, suspects = _suspects(text, every)
    starts = [0, *ends.tolist()]
    parts: list[bytes] = []
    joined: list[tuple[int, int]] = []
    broken: list[int] = []
    begin = 0
    for line in suspects.tolist():
        if line < begin:  # inside a record of several lines
            continue
        window = [text[a:b] for a, b in itertools.pairwise(starts[line : line + _LONG + 1])]
        size, record = _first_record(window, separator, width)
        if not size and not last and line + _LONG >= len(starts):
            parts.append(text[starts[begin] : starts[line]])
            return Records(b"".join(parts), text[starts[line] :], line, joined, broken)
        parts += (text[starts[begin] : starts[line]], record)
        begin = line + (size or 1)
        if size > 1:
            joined.append((line, size - 1))
        if not size:
            broken.append(line)
    parts.append(text[starts[begin] :])
    return Records(b"".join(parts), b"", len(ends), joined, broken)


def _suspects(text: bytes, every: bool) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """[lines] the end of each line, and [n] the lines that hold an odd number of quotes (or any, if `every`)."""
    import numpy as np

    signs = np.frombuffer(text, np.uint8)
    ends = np.flatnonzero(signs == ord("\n")) + 1
    if not len(ends) or ends[-1] != len(text):
        ends = np.append(ends, len(text))
    quotes = np.bincount(np.searchsorted(ends, np.flatnonzero(signs == ord('"')), side="right"))
    return ends, np.flatnonzero(quotes if every else quotes & 1)


def _first_record(lines: Sequence[bytes], separator: str, width: int) -> tuple[int, bytes]:
    """How many lines the first record takes and the record written anew; 0 and a blank line if it has no end."""
    reader = csv.reader(
        (line.decode("utf-8", "surrogateescape") for line in lines), delimiter=separator, strict=True
    )
    try:
        fields = next(reader)
    except csv.Error:
        return 0, b"\n"
    written = io.StringIO()
    csv.writer(written, delimiter=separator).writerow(fields[: width + 1])
    return reader.line_num, written.getvalue().encode("utf-8", "surrogateescape")
