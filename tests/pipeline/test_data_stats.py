"""`rectune data stats` on tables made here: its output fits a terminal, its charts lie where it says."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from rectune.core.artifacts import ArtifactStore
from rectune.core.figures import DataFigures
from rectune.core.tables import interaction_schema, item_schema, user_schema
from rectune.pipeline import data_stats
from tests.core.filled import record, write_stage

LONG = "A_Category_Whose_Name_Is_Rather_Long"


@pytest.fixture()
def finished(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A finished data stage, which the pipeline finds up to date."""
    folder = tmp_path / "runs" / "data" / "key"
    folder.mkdir(parents=True)
    bare = {"title": "t", "categories": [], "description": "", "year": None, "extra": "{}"}
    items = [
        bare | {"domain": "goods", "item": n, "item_id": f"{n}", "category": ("Toys", LONG)[n]}
        for n in (0, 1)
    ]
    pl.DataFrame(items, schema=item_schema() | {"category": pl.String()}).write_parquet(
        folder / "items.parquet"
    )
    users = [{"domain": "goods", "user": n, "user_id": str(n), "attributes": "{}"} for n in range(9)]
    pl.DataFrame(users, schema=user_schema()).write_parquet(folder / "users.parquet")
    events = [
        {
            "domain": "goods",
            "user": user,
            "item": user % 2,
            "value": 5.0,
            "kind": kind,
            "order": user,
            "liked": True,
        }
        for user, kind in zip(range(9), ("review", "purchase", "play") * 3, strict=True)
    ]
    schema = interaction_schema() | {"liked": pl.Boolean()}
    pl.DataFrame(events, schema=schema).write_parquet(folder / "interactions.parquet")
    read = {
        "dropped": {"malformed line": 4},
        "first": {"malformed line": ["reviews.jsonl:12: not JSON \x1b[31m"]},
    }
    cases = {"train": {"wanted": 1000, "got": 900}, "test": {"wanted": 10, "got": 10}}
    shop = {"domain": "goods", "positive_threshold": 4.0, "read": read, "cases": cases}
    write_stage(folder, record(DataFigures, datasets={"shop": shop}))
    monkeypatch.setattr(data_stats, "run_pipeline", lambda order, store: {order.last: folder})
    return folder


def test_it_prints_figures_drops_and_mixture_and_draws_outside_the_store(
    finished: Path, tmp_path: Path
) -> None:
    before = sorted(tmp_path.joinpath("runs").rglob("*"))
    charts = tmp_path / "charts"
    text = data_stats.data_stats(Path("recipes/demo.yaml"), [], charts, ArtifactStore(tmp_path / "runs"))
    lines = text.splitlines()
    assert max(map(len, lines)) <= 120 and "\x1b" not in text
    assert any(line.split()[:4] == ["goods", "2", "9", "9"] for line in lines)
    assert any(line.startswith("  Toys") and line.split()[1:4] == ["1", "5", "5"] for line in lines)
    assert any(line.startswith("  A_Category_Wh") for line in lines)
    assert any(line.split() == ["shop", "4", "malformed", "line"] for line in lines)
    assert "first: reviews.jsonl:12: not JSON" in text
    assert any(line.split() == ["shop", "1,000", "900!", "0", "0", "10", "10"] for line in lines)
    assert all(f"  {path}" in lines for path in charts.iterdir()) and len(list(charts.iterdir())) == 7
    assert sorted(tmp_path.joinpath("runs").rglob("*")) == before


def test_the_histogram_has_a_block_for_every_length_that_some_user_has(
    finished: Path, tmp_path: Path
) -> None:
    text = data_stats.data_stats(
        Path("recipes/demo.yaml"), [], tmp_path / "c", ArtifactStore(tmp_path / "runs")
    )
    goods = next(line for line in text.splitlines() if line.startswith("goods") and "|" in line)
    assert goods.endswith("all | █|  liked | █|")
