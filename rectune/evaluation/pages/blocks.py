"""What a page is made of: Markdown, tables, columns side by side, commands, and what is folded away.

A block comes out as Markdown here, and as HTML in `rectune.evaluation.pages.page`. Markdown in it is the
page's own words, with untrusted text that has passed `escaped` or `block_quote`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from rectune.core.text.markdown import escaped, html_text, joined
from rectune.core.text.plain import printable
from rectune.core.text.tables import Table
from rectune.core.text.translation import Translation

FIGURES = "figures"  # the folder of the pictures, beside the page
_OPEN_ROWS = 8  # a table of more rows is folded
_FENCE = "```"


@dataclass(frozen=True)
class Collapsible:
    """Markdown below a title, which is plain text; it is shown when the title is clicked."""

    title: str
    text: str

    def to_markdown(self) -> str:
        """A `<details>` element, which GitHub and other readers of Markdown fold."""
        return folded(html_text(self.title), self.text)


@dataclass(frozen=True)
class Columns:
    """Texts side by side; below each other where the page is narrow.

    Attributes:
        heads: a heading a column; plain text.
        rows: a cell a column; Markdown on one line, in which untrusted text has passed `escaped`.
    """

    heads: Sequence[str]
    rows: Sequence[Sequence[str]]

    def to_markdown(self) -> str:
        """A table, since Markdown has no columns."""
        ruler = "|".join(("", *("---" for _ in self.heads), ""))
        lines = [f"| {' | '.join(cells)} |" for cells in (tuple(map(escaped, self.heads)), *self.rows)]
        return "\n".join((lines[0], ruler, *lines[1:]))


@dataclass(frozen=True)
class Code:
    """Commands to copy, one a line; plain text."""

    commands: Sequence[str]

    @property
    def text(self) -> str:
        """The commands, each on one line of visible characters."""
        return "\n".join(" ".join(printable(command).split()) for command in self.commands)

    def to_markdown(self) -> str:
        """A fenced block, whose fence is longer than any in the commands."""
        longest = max(map(len, re.findall("`+", self.text)), default=0)
        fence = _FENCE + "`" * max(0, longest + 1 - len(_FENCE))
        return f"{fence}sh\n{self.text}\n{fence}"


Block = str | Table | Collapsible | Columns | Code


def folded(summary: str, text: str) -> str:
    """Markdown that readers fold; the summary is HTML on one line."""
    return joined(f"<details>\n<summary>{summary}</summary>", text, "</details>")


def fold_long(block: Block, section: str, tr: Translation) -> Block:
    """The block; a table of more than eight rows below a summary that names it, or else its section."""
    if not isinstance(block, Table) or len(block.rows) <= _OPEN_ROWS:
        return block
    title = tr("{title}: {n} rows", title=block.title or section, n=len(block.rows))
    return Collapsible(title, replace(block, title="").to_markdown())


def written(block: Block) -> str:
    """The block as Markdown."""
    return block if isinstance(block, str) else block.to_markdown()


def pictures(folder: Path, shown: Mapping[str, str]) -> str:
    """Those of the PNG files that are in the folder, side by side, as Markdown.

    Args:
        folder: where they lie.
        shown: what each shows, by file name.
    """
    there = {name: words for name, words in shown.items() if (folder / name).is_file()}
    return "\n".join(f"![{escaped(words)}]({FIGURES}/{name})" for name, words in there.items())
