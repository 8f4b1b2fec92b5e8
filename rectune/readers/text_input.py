"""What readers of one column of texts share: the bytes, the account of malformed lines, the column."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rectune.core.errors import UserError
from rectune.core.text.plain import printable
from rectune.readers.columns import shown
from rectune.readers.drops import Faults
from rectune.readers.encoding import encoding_hint

_LIKELY = ("response", "text")  # the column, unless another is asked for
LOOK = 100  # records that are looked at to find the columns of text

Texts = Iterator[str | None]


@dataclass
class TextInput:
    """Bytes to read, what people call them, and the column asked for (empty: find it).

    `faults` counts malformed lines, `swallowed` the lines of a malformed record beyond its first.
    """

    stream: io.BufferedReader
    where: str
    column: str
    faults: Faults
    swallowed: int = 0

    def not_utf8(self, line: bytes) -> None:
        """Keep what may help against a line that is not UTF-8."""
        self.faults.hint = self.faults.hint or encoding_hint(line)

    def fault(self, line: int, why: str, lines: int = 1) -> None:
        """Count one malformed record, which begins on a line (from 1)."""
        self.faults.add(line, why, lines)
        self.swallowed += lines - 1


def chosen_column(names: Sequence[str], texts: Sequence[str], given: TextInput) -> str:
    """The column to read: the one asked for, a likely one, or the only column of text.

    Args:
        names: all columns.
        texts: those that hold texts.

    Raises:
        UserError: it is not told which.
    """
    if given.column in names:
        return given.column
    likely = [name for name in _LIKELY if name in names] or (texts if len(texts) == 1 else [])
    if likely and not given.column:
        return likely[0]
    found = f"has {len(texts) or 'no'} columns of text"
    if given.column:
        found = f"has no column of text {printable(given.column)}"
    raise UserError(found, where=given.where, hint=f"name one with --column: {shown(names)}")
