"""What is shown of a prompt: titles, one per line if there is room, else in aligned columns."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from rectune.align.prompt_view import PromptView, columns, make_prompt_views, overview
from rectune.align.tasks import make_task
from tests.align.examples import make_prompt, write_items

TITLES = ("기생충 (2019)", "Heat", "Ran 👨‍👩‍👧", "Amélie", "올드보이", "Ronin", "괴물")


def request(**changes: object) -> PromptView:
    return PromptView(make_prompt(0, **changes), "Heat", TITLES)


def test_a_title_a_line_where_there_is_room() -> None:
    lines = overview(request(cutoff=5, left_out=3), 80, 20).splitlines()
    assert lines[0] == "Liked before: oldest first, 3 older ones left out (7):"
    assert [line.strip() for line in lines[1:]] == list(TITLES)


def test_columns_where_there_is_not_and_the_query_first() -> None:
    lines = overview(request(query=" slow\nfilms ", history_domain="music"), 80, 5).splitlines()
    assert lines[:2] == ["Asks for: slow films", "Liked before: music, in no known order (7):"]
    assert len(lines) < 7
    assert all(title in "\n".join(lines) for title in TITLES)


@given(
    st.lists(
        st.text(st.characters(codec="utf-8", categories=("L", "N", "Zs")), min_size=1, max_size=60),
        min_size=1,
        max_size=30,
    ),
    st.integers(20, 200),
)
def test_columns_fit_and_keep_every_title_or_its_beginning(titles: list[str], width: int) -> None:
    rows = columns(titles, width)
    assert all(cell_len(row) <= width for row in rows)
    height = len(rows)
    assert height <= -(-len(titles) // 2)
    assert all(any(title.strip()[:1] in row for row in rows) for title in titles)


def test_a_search_without_a_history_shows_what_is_asked_for(tmp_path: Path) -> None:
    task = make_task(make_prompt(0, query="slow films", history=(), candidates=()), ("x", "y"))
    shown = make_prompt_views([task], write_items(tmp_path) / "items.parquet")[task.prompt.id]
    assert overview(shown, 80, 20) == "Asks for: slow films"


def test_titles_come_from_the_catalogue_and_cannot_steer_the_terminal(tmp_path: Path) -> None:
    known = make_task(make_prompt(0, history=("ronin",), candidates=("heat", "ronin")), ("x", "y"))
    lacking = make_task(make_prompt(1, history=("ronin", "gone"), target="\x1b[2J"), ("x", "y"))
    items = write_items(tmp_path) / "items.parquet"
    found = make_prompt_views([known, lacking], items)
    assert found[known.prompt.id] == PromptView(known.prompt, "Heat", ("Ronin",), ("Heat", "Ronin"))
    shown = found[lacking.prompt.id]
    assert shown.target == "␛[2J"
    assert overview(shown, 80, 20) == f"{lacking.prompt.instruction}\n\n{lacking.prompt.system}"
    assert make_prompt_views([known], None)[known.prompt.id].target == "heat"
