"""The data's tables and charts in the report: what they show is what the data stage left, and they are
readable.
"""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import pytest
from matplotlib.figure import Figure

from rectune.core.errors import UserError
from rectune.core.figures import DataFigures
from rectune.core.figures.statistics import DomainStatistics, PartStatistics
from rectune.core.finished_stages import FinishedStages
from rectune.core.recipe import Recipe, parse_recipe
from rectune.evaluation.pages import data_figures
from rectune.evaluation.pages.data import DataSummary, MixtureRow, read_data
from rectune.evaluation.pages.data_figures import draw
from rectune.evaluation.pages.data_tables import tables
from rectune.evaluation.report import run
from tests.core.filled import record, write_stage

EVIL = "<script>alert(1)</script> | $x^2$"


def row(domain: str, category: str = "", **more: Any) -> DomainStatistics:
    spread = {
        "min": 1,
        "quartiles": [2, 3, 5.0],
        "p90": 7,
        "p99": 90,
        "max": 93,
        "buckets": [[1, 30], [64, 10]],
    }
    entry: dict[str, Any] = {
        "domain": domain,
        "category": category,
        "items": 200,
        "users": 40,
        "interactions": 1000,
        "liked": 251,
        "kinds": {"rating": 900, "play": 100},
        "with_value": 900,
        "with_time": 0,
        "first": "1997-03-01",
        "last": "2003-02-28",
        "repeated": 20,
        "density": 0.1225,
        "items_seen": 150,
        "history": {"all": spread, "liked": spread | {"buckets": [[0, 40]]}},
        "popularity": {
            "top": {"percent_1": 0.111, "percent_10": 0.333, "percent_20": 0.444},
            "gini": 0.617,
            "ranks": [[1, 90], [150, 1]],
        },
        "text": {"description": 50, "categories": 100, "year": 0, "title_length": 17.6},
        "values": {"scale": "exact", "bars": [[2.0, 0, 300], [3.0, 0, 349], [4.0, 251, 0]]},
    }
    return record(DomainStatistics, **entry | more)


def part(domain: str, category: str, **more: Any) -> PartStatistics:
    """A category with the figures of `row`."""
    whole = dict(row(domain, category, **more))
    del whole["categories"]
    return PartStatistics(**whole)


def nothing(domain: str) -> DomainStatistics:
    """A catalogue that nobody has met."""
    spread = {"min": None, "quartiles": [None] * 3, "p90": None, "p99": None, "max": None, "buckets": []}
    empty = {
        "interactions": 0,
        "liked": 0,
        "kinds": {},
        "with_value": 0,
        "first": None,
        "last": None,
        "density": 0.0,
    }
    return row(
        domain,
        **empty,
        history={"all": spread, "liked": spread},
        popularity={"ranks": []},
        values={"scale": "exact", "bars": []},
        categories=[],
    )


FIGURES: dict[str, Any] = {
    "datasets": {
        "shop": {
            "domain": "goods",
            "positive_threshold": 4.0,
            "read": {
                "dropped": {"malformed line": 3, EVIL: 1},
                "first": {"malformed line": ["shop.csv:17: too short"]},
                "notes": [],
            },
            "cases": {"train": {"wanted": 1200, "got": 1100}, "test": {"wanted": 30, "got": 30}},
            "categories": {"Books": {"train": 608}},
        }
    },
    "cross_domain": {"shop/Books > shop/Toys": {"train": {"wanted": 7, "got": 5}}},
}


@pytest.fixture()
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A finished data stage of one domain with two categories."""
    stage = tmp_path / "data" / "key"
    stage.mkdir(parents=True)
    goods = row("goods", categories=[part("goods", "Books"), part("goods", EVIL)])
    monkeypatch.setattr("rectune.evaluation.pages.data.describe", lambda folder: [goods, nothing("idle")])
    for table in ("items", "users", "interactions"):
        (stage / f"{table}.parquet").touch()
    write_stage(stage, record(DataFigures, **FIGURES))
    return stage


@pytest.fixture()
def data(folder: Path) -> DataSummary:
    return read_data(FinishedStages({"data": folder}))


@pytest.fixture()
def drawn(monkeypatch: pytest.MonkeyPatch) -> dict[str, Figure]:
    """The figures that are drawn, by file name, instead of files."""
    figures: dict[str, Figure] = {}
    monkeypatch.setattr(data_figures, "save", lambda figure, path: figures.setdefault(path.name, figure))
    return figures


@pytest.fixture()
def config() -> Recipe:
    return parse_recipe({"evaluate": {"systems": ["base"], "samples": 1}, "report": {}})


def panels(figure: Figure) -> dict[str, Any]:
    return {axes.get_title(loc="left").splitlines()[0]: axes for axes in figure.axes if axes.get_visible()}


def test_drops_and_mixture_come_from_the_manifest(data: DataSummary) -> None:
    malformed, evil = data.drops
    assert (malformed.dataset, malformed.count, malformed.first) == ("shop", 3, ("shop.csv:17: too short",))
    assert (evil.reason, evil.first) == (EVIL, ())
    assert data.positive_threshold == {"goods": 4.0}
    assert [mix.source for mix in data.mixture] == ["shop", "Books", "shop/Books > shop/Toys"]
    assert data.mixture[0].wanted == {"train": 1200, "preference": 0, "test": 30}
    assert data.mixture[2].got == {"train": 5, "preference": 0, "test": 0}
    assert data.mixture[1] == MixtureRow("Books", {}, {"train": 608}, category=True)
    assert data.splits == ["train", "preference", "test"]


def test_without_the_stage_there_is_nothing_and_without_its_tables_an_error(folder: Path) -> None:
    assert read_data(FinishedStages({})) == DataSummary() and tables(DataSummary()) == []
    (folder / "interactions.parquet").unlink()
    with pytest.raises(UserError, match="left no interactions"):
        read_data(FinishedStages({"data": folder}))


def test_tables_give_every_domain_and_its_categories(data: DataSummary) -> None:
    interactions, histories, items = tables(data)
    assert [row[0] for row in interactions.rows] == ["goods", "… Books", f"… {EVIL}", "idle"]
    assert dict(zip(interactions.heads, interactions.rows[0], strict=True)) == {
        "domain": "goods", "items": "200", "users": "40", "interactions": "1,000", "kinds": "rating, play",
        "liked": "25.1 %", "valued": "90.0 %", "repeated": "2.0 %", "density": "12 %", "years": "1997–2003",
    }  # fmt: skip
    assert histories.rows[1][1:5] == ("2 / 3 / 5", "7", "90", "93")
    assert dict(zip(items.heads, items.rows[2], strict=True)) == {
        "domain": f"… {EVIL}", "met": "75.0 %", "top 1 %": "11.1 %", "top 10 %": "33.3 %",
        "top 20 %": "44.4 %", "Gini": "0.62", "described": "25.0 %", "categories": "50.0 %",
        "year": "0.0 %", "title": "18",
    }  # fmt: skip
    assert interactions.rows[3][5:] == ("–", "–", "–", "–", "–")


def test_domains_and_categories_each_have_their_charts(data: DataSummary, tmp_path: Path) -> None:
    shown = draw(data, tmp_path / "charts")
    names = {
        f"data_{what}{end}.png" for what in ("history", "popularity", "values") for end in ("", "_categories")
    }
    assert (
        set(shown) == names | {"data_mixture.png"} == {path.name for path in (tmp_path / "charts").iterdir()}
    )
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in (tmp_path / "charts").iterdir())


def test_no_chart_is_claimed_where_nothing_is_known(tmp_path: Path) -> None:
    assert draw(DataSummary(), tmp_path) == {}
    bare = row("goods", values={"scale": "exact", "bars": []}, categories=[])
    assert set(draw(DataSummary((bare, nothing("idle"))), tmp_path)) == {
        "data_history.png",
        "data_popularity.png",
    }


def test_every_chart_says_what_its_axes_are(
    data: DataSummary, drawn: dict[str, Figure], tmp_path: Path
) -> None:
    draw(data, tmp_path)
    for name, figure in drawn.items():
        ours = [axes.get_xlabel() + axes.get_ylabel() for axes in figure.axes]
        assert figure.get_supxlabel() + figure.get_supylabel() or all(ours), name


def test_history_bars_are_shares_of_the_users(
    data: DataSummary, drawn: dict[str, Figure], tmp_path: Path
) -> None:
    draw(data, tmp_path)
    axes = panels(drawn["data_history.png"])["goods"]
    every, liked = ([bar.get_height() for bar in bars] for bars in axes.containers)
    assert every == [0, 75.0, 0, 0, 0, 0, 0, 25.0] and liked == [100.0, *[0] * 7]  # 0, 1, 2, 4 … 64


def test_the_threshold_parts_the_liked_values_from_the_others(
    data: DataSummary, drawn: dict[str, Figure], tmp_path: Path
) -> None:
    draw(data, tmp_path)
    axes = panels(drawn["data_values.png"])["goods"]
    others, liked = axes.containers
    (line,) = (line.get_xdata()[0] for line in axes.lines)
    assert [bar.get_height() for bar in liked] == [0, 0, pytest.approx(100 * 251 / 900)]
    assert others[1].get_x() + others[1].get_width() <= line <= liked[2].get_x()


def test_hours_stand_on_a_doubling_scale(drawn: dict[str, Figure], tmp_path: Path) -> None:
    bars = [[0.0, 0, 5], [0.5, 0, 5], [1.0, 0, 5], [2.0, 5, 0]]
    games = row("games", values={"scale": "log2", "bars": bars}, categories=[])
    draw(DataSummary((games,), positive_threshold={"games": 2.0}), tmp_path)
    axes = panels(drawn["data_values.png"])["games"]
    ticks = dict(zip((tick.get_text() for tick in axes.get_xticklabels()), axes.get_xticks(), strict=True))
    assert ticks == {"0": -2.0, "0.5": -1.0, "1": 0.0, "2": 1.0}
    assert axes.lines[0].get_xdata()[0] == 1.0


def test_no_popularity_line_leaves_its_panel(drawn: dict[str, Figure], tmp_path: Path) -> None:
    most = (5, 90_000, 70)
    parts = [part("goods", f"part {n}", popularity={"ranks": [[1, n], [9, 1]]}) for n in most]
    draw(DataSummary((row("goods", categories=parts),)), tmp_path)
    for n in most:
        axes = panels(drawn["data_popularity_categories.png"])[f"part {n}"]
        assert axes.lines[0].get_ydata()[0] == n <= axes.get_ylim()[1] and axes.get_ylim()[0] < 1


def test_mixture_bars_show_what_was_wanted_and_got(drawn: dict[str, Figure], tmp_path: Path) -> None:
    mixes = (
        MixtureRow("a", {"train": 9}, {"train": 4}),
        MixtureRow("part", {}, {"train": 4}, category=True),
        MixtureRow("b", {"train": 1}, {"train": 1}),
    )
    draw(DataSummary(mixture=mixes), tmp_path)
    axes = panels(drawn["data_mixture.png"])["train"]
    assert [[bar.get_width() for bar in bars] for bars in axes.containers] == [[1, 9], [1, 4]]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["b", "a"]


def test_names_that_the_font_lacks_or_that_are_long_spoil_nothing(tmp_path: Path) -> None:
    named = row("뉴스" * 30, categories=[part("뉴스", f"{place}_{'$' * 3}") for place in range(9)])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert len(draw(DataSummary((named,)), tmp_path)) == 6


def test_the_report_shows_the_data(folder: Path, config: Recipe, tmp_path: Path) -> None:
    out = tmp_path / "report" / "key.partial"
    out.mkdir(parents=True)
    stats = run(config, {"data": folder}, out)
    html, markdown = ((out / f"report.{end}").read_text() for end in ("html", "md"))
    for known in (
        "1,000",
        "25.1 %",
        "1997–2003",
        "2 / 3 / 5",
        "0.62",
        "shop.csv:17: too short",
        "1,200",
        "Books",
    ):
        assert known in html and known in markdown
    assert "<script" not in html and "<script" not in markdown
    charts = [name for name in stats.plots if name.startswith("data_")]
    assert len(charts) == 7 and html.count("data:image/png") == 7
    assert all(f"](figures/{name})" in markdown for name in charts)
    books = next(line for line in markdown.splitlines() if "Books" in line and "1,000" in line)
    assert books.startswith("| … Books | 200 | 40 |")
