"""A table holds any text in its cells, one cell a column."""

import re
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from rectune.core.text.tables import Table, nested
from tests.core.text.test_markdown import HOSTILE, shown, signs


class Cells(HTMLParser):
    """The text of each cell, and the tags that are there."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.cells: list[str] = []
        self.tags: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        if tag in ("td", "th"):
            self.cells.append("")

    def handle_data(self, data: str) -> None:
        if self.cells:
            self.cells[-1] += data.replace("\u200b", "")


def cells(table: Table) -> list[str]:
    read = Cells(MarkdownIt("commonmark").enable("table").render(table.to_markdown()))
    assert set(read.tags) == {"table", "thead", "tbody", "tr", "th", "td"}
    return [cell.strip() for cell in read.cells]


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_stays_in_its_cell(text: str) -> None:
    assert cells(Table((text, "b"), [(text, 1), ("a", text)])) == [
        shown(text),
        "b",
        shown(text),
        "1",
        "a",
        shown(text),
    ]


@given(st.lists(signs, min_size=4, max_size=4))
def test_any_text_stays_in_its_cell(text: list[str]) -> None:
    assert cells(Table(text[:2], [text[2:]])) == list(map(shown, text))


def test_title_note_alignment_and_dashes() -> None:
    table = Table(("a", "b", "c", "d"), [("x", "y", None, 3)], "T *", "N.", align="llr")
    assert (
        table.to_markdown() == "### T \\*\n\nN.\n\n| a | b | c | d |\n|---|---|---:|---:|\n| x | y | – | 3 |"
    )
    assert Table(("a", "b"), [("x", 1)]).to_markdown().splitlines()[1] == "|---|---:|"
    assert re.match(r"\| … x \|", Table(("a",), [(nested("x"),)]).to_markdown().splitlines()[2])


def test_no_rows_are_no_table() -> None:
    assert Table(("a",), [], "T", "N.").to_markdown() == ""


def test_rows_are_as_long_as_the_heads() -> None:
    with pytest.raises(ValueError, match="T: every row needs 2 cells"):
        Table(("a", "b"), [("x",)], "T")
