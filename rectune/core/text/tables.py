"""One kind of table for all pages and cards: plain text in its cells, written as Markdown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rectune.core.text.markdown import escaped, joined

NONE = "–"
Cell = str | int | None


@dataclass(frozen=True)
class Table:
    """Rows under heads; title, note, heads and cells are plain text, whoever wrote them.

    Attributes:
        heads: a word a column.
        rows: a cell a column; `NONE` stands for None.
        title: a heading above the table; empty for none.
        note: what the heads mean, how the figures were got; empty for none.
        align: a letter a column, l for words or r for numbers; the last one holds for all columns after it.

    Raises:
        ValueError: a row has more cells than there are heads, or fewer.
    """

    heads: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    title: str = ""
    note: str = ""
    align: str = "lr"

    def __post_init__(self) -> None:
        if any(len(row) != len(self.heads) for row in self.rows):
            raise ValueError(f"{self.title or 'a table'}: every row needs {len(self.heads)} cells")

    def to_markdown(self) -> str:
        """Title, note and table; nothing where there are no rows."""
        if not self.rows:
            return ""
        letters = self.align + self.align[-1] * len(self.heads)
        ruler = ("---:" if letter == "r" else "---" for letter in letters[: len(self.heads)])
        lines = ["|".join(("", *ruler, ""))]
        for cells in (self.heads, *self.rows):
            lines.append(f"| {' | '.join(escaped(NONE if cell is None else cell) for cell in cells)} |")
        lines[0], lines[1] = lines[1], lines[0]
        title = f"### {escaped(self.title)}" if self.title else ""
        return joined(title, escaped(self.note), "\n".join(lines))


def nested(name: str) -> str:
    """The first cell of a row that is a part of the row above it."""
    return f"… {name}"
