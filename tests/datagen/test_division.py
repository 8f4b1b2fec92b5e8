"""A column of one's own that divides a dataset: cases across its parts, negatives and figures by part."""

import json
from pathlib import Path
from typing import Any

import pytest

from rectune.core.catalogue import load_catalogue
from rectune.core.errors import UserError
from rectune.core.figures import DataFigures
from rectune.core.recipe import load_recipe
from rectune.core.rows import read_rows
from rectune.core.types import Case
from rectune.datagen.build import run

PARTS = ("Music", "Goods")


def made(root: Path, crossing: Any = (), **custom: Any) -> tuple[DataFigures, list[Case]]:
    """A shop of 20 items, of which the even ones are music; 60 users like five of either."""
    rows = [f"i{n},Thing {n},{PARTS[n % 2]}" for n in range(20)] + ["i99,Odd thing,"]
    (root / "items.csv").write_text("\n".join(["id,title,department", *rows]) + "\n")
    events = [f"u{u},i{(u + n) % 20},{1_600_000_000 + 86_400 * n}" for u in range(60) for n in range(10)]
    (root / "events.csv").write_text("\n".join(["user,item,time", *events]) + "\n")
    shop = {"domain": "shop", "items": "items.csv", "interactions": "events.csv", "kind": "purchase",
            "division": "department"} | custom  # fmt: skip
    given = {"root": str(root), "datasets": ["shop"], "mixture_weights": {"shop": 1},
             "custom": {"shop": shop}, "cross_domain": list(crossing), "train": 40, "preference": 4,
             "test": 4, "min_history": 2,
             "num_candidates": 4, "train_time_quantile": 0.8}  # fmt: skip
    overrides = [f"data.{key}={json.dumps(value)}" for key, value in given.items()]
    figures = run(load_recipe(Path("demo"), overrides).only(("data",)), {}, root / "out")
    return figures, read_rows(root / "out/cases.parquet", Case)


def part_of(item_id: str) -> str:
    return PARTS[int(item_id[1:]) % 2]


def test_cases_cross_the_parts_of_one_dataset(tmp_path: Path) -> None:
    crossing = {"history": "shop/Music", "target": "shop/Goods", "weight": 1}
    figures, cases = made(tmp_path, [crossing])
    name = "shop/Music > shop/Goods"
    assert figures.cross_domain[name]["train"].got == 20
    crossed = [case for case in cases if {part_of(item) for item in case.history} == {"Music"}
               and part_of(case.target) == "Goods"]  # fmt: skip
    assert len(crossed) >= 20
    assert {part_of(item) for case in cases for item in case.candidates if case in crossed} == {"Goods"}


def test_targets_negatives_and_figures_are_of_a_part(tmp_path: Path) -> None:
    figures, cases = made(tmp_path)
    assert set(figures.datasets["shop"].categories) == set(PARTS)
    assert all(case.category == part_of(case.target) for case in cases)
    assert all({part_of(item) for item in case.candidates} == {case.category} for case in cases)


def test_the_column_may_be_anything_else_as_well(tmp_path: Path) -> None:
    made(tmp_path, facts=["department"], item_columns={"categories": "department"})
    items = {item.item_id: item for item in load_catalogue(tmp_path / "out/items.parquet").of("shop")}
    assert items["i0"].categories == ("Music",)
    assert items["i0"].facts == ("department: Music",) and items["i99"].facts == ()


def test_a_part_or_a_column_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"shop has no category Musik.*Music"):
        made(tmp_path, [{"history": "shop/Musik", "target": "shop/Goods", "weight": 1}])
    with pytest.raises(UserError, match=r"has no column departmend \(for division\).*department"):
        (tmp_path / "other").mkdir()
        made(tmp_path / "other", division="departmend")
