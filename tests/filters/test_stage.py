"""The stage on files: rows are neither lost nor changed, a second pass drops nothing; its report."""

from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest

from rectune.core.figures import FilterFigures
from rectune.core.figures.data import BorderlineRows
from rectune.core.figures.read_records import read_figures
from rectune.core.recipe import Recipe, parse_recipe
from rectune.core.rows import read_rows, write_rows
from rectune.core.tables import item_schema
from rectune.core.types import Example, Verdict, with_id
from rectune.filters.stage import run
from tests.filters.examples import BODY, TITLES, Words, example, good

EVIL = "</td><script>alert(1)</script> | **bold** [a](javascript:b) www.example.com"
TEXTS = [
    good().response,
    good("And it is a short one.").response,
    good(locale="ko").response,
    "",
    f"{BODY['en']}\nMy recommendation: Casablanca",
    f"{EVIL}\nMy recommendation: Heat",
    "Buy now! " * 40,
    good().response,
]
ROWS = [
    with_id(replace(row, prompt=replace(row.prompt, user=f"u{place}", domain="movies")))
    for place, row in enumerate(example(text) for text in TEXTS)
]


@pytest.fixture(autouse=True)
def words(monkeypatch: pytest.MonkeyPatch) -> None:
    """Words for tokens: no model is needed to judge by them."""
    monkeypatch.setattr("rectune.filters.stage.load_tokenizer", lambda checkpoint: Words())


@pytest.fixture()
def config() -> Recipe:
    short = {"too_short": {"on": True, "tokens": 4}}
    return parse_recipe({"models": {"base": "tiny"}, "filter": {"threshold": 15, "rules": short}})


def inputs(folder: Path, rows: list[Example]) -> dict[str, Path]:
    for name in ("data", "rationales"):
        (folder / name).mkdir(parents=True)
    items = [
        {"domain": domain, "item": int(key), "item_id": key, "title": title}
        for domain, titles in TITLES.items()
        for key, title in titles.items()
    ]
    pl.DataFrame(items, schema=item_schema()).write_parquet(folder / "data" / "items.parquet")
    write_rows(folder / "rationales" / "examples.parquet", rows, Example)
    return {"data": folder / "data", "base": folder, "rationales": folder / "rationales"}


def filtered(config: Recipe, folder: Path, rows: list[Example]) -> tuple[Path, FilterFigures]:
    out = folder / "out"
    out.mkdir(parents=True)
    return out, run(config, inputs(folder, rows), out)


def test_rows_are_kept_or_dropped_unchanged_and_each_has_a_verdict(config: Recipe, tmp_path: Path) -> None:
    out, figures = filtered(config, tmp_path, ROWS)
    kept, dropped = (read_rows(out / f"{name}.parquet", Example) for name in ("kept", "dropped"))
    verdicts = read_rows(out / "verdicts.parquet", Verdict)
    assert [row for row in ROWS if row in kept] == kept and [row for row in ROWS if row in dropped] == dropped
    assert len(kept) + len(dropped) == len(ROWS) == figures.rows_in
    assert [verdict.id for verdict in verdicts] == [row.id for row in ROWS]
    assert {verdict.id for verdict in verdicts if verdict.kept} == {row.id for row in kept}
    assert 0 < len(kept) == figures.rows_out < len(ROWS)


def test_a_second_pass_drops_nothing(config: Recipe, tmp_path: Path) -> None:
    out, _ = filtered(config, tmp_path / "first", ROWS)
    kept = read_rows(out / "kept.parquet", Example)
    again, figures = filtered(config, tmp_path / "second", kept)
    assert read_rows(again / "kept.parquet", Example) == kept
    assert figures.dropped == {} and read_rows(again / "dropped.parquet", Example) == []


def test_the_report_names_figures_and_shows_rows_as_plain_text(config: Recipe, tmp_path: Path) -> None:
    out, figures = filtered(config, tmp_path, ROWS)
    said = (out / "filter.md").read_text(encoding="utf-8")
    assert f"{len(ROWS)} responses in, {figures.rows_out} kept" in said
    assert all(f"| {reason} | {count} |" in said for reason, count in figures.dropped.items())
    assert "<script>" not in said and "[a](" not in said
    read = read_figures(BorderlineRows, out)
    assert read.worst_kept and all(row.reasons for row in read.best_dropped)
    scores = [row.score for row in read.worst_kept]
    assert scores == sorted(scores, reverse=True)
    pictures = {path.name for path in out.rglob("*.png")}
    assert {"movies.png", "overlap.png", "drop_rate.png", "score_by_length.png"} == pictures
    for name in pictures:
        assert f"/{name}" in said


def test_no_examples_are_no_error(config: Recipe, tmp_path: Path) -> None:
    out, figures = filtered(config, tmp_path, [])
    assert figures.rows_in == figures.rows_out == 0
    assert read_rows(out / "kept.parquet", Example) == [] == read_rows(out / "verdicts.parquet", Verdict)


def test_the_terminal_hears_of_rules_and_scores(
    config: Recipe, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _, figures = filtered(config, tmp_path, ROWS)
    said = capsys.readouterr().err
    assert f"{figures.rows_out} of {len(ROWS)} responses kept" in said and "threshold 15" in said
