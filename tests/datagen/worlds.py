"""Small made-up datasets, as the parts that cases are cut from."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import polars as pl

from rectune.core.figures.data import DatasetCounts
from rectune.core.settings import DataConfig
from rectune.core.tables import interaction_schema, item_schema, user_schema
from rectune.core.types import SPLITS, Case
from rectune.datagen import splits
from rectune.datagen.dataset_cache import CachedDataset
from rectune.datagen.datasets.registry import Dataset, find
from rectune.datagen.sources import CaseSource, make_case_sources
from tests.core.filled import record

# What happened to one user: (item, value or None, time).
Events = Sequence[tuple[int, float | None, int]]
LIKED = 4.0


def settings(**changes: Any) -> DataConfig:
    plain: dict[str, Any] = {
        "datasets": ["movielens"],
        "mixture_weights": {"movielens": 1.0, "amazon": 1.0, "amazon_music": 1.0},
        "positive_threshold": {},
        "train": 100,
        "preference": 2,
        "test": 2,
        "train_time_quantile": 1.0,
        "min_history": 2,
        "max_history": 3,
        "num_candidates": 6,
        "seed": 3,
    }
    return DataConfig(**(plain | changes))


def part(
    folder: Path,
    name: str,
    world: Sequence[Events],
    items: int,
    *,
    times: bool = True,
    categories: Sequence[str] = (),
) -> CachedDataset:
    """Users u0, u1, … and items i0, i1, …; the categories go round."""
    dataset: Dataset = find(name)
    folder.mkdir(parents=True, exist_ok=True)
    rows: list[dict[str, Any]] = []
    for user, happened in enumerate(world):
        ordered = sorted(happened, key=lambda event: event[2]) if times else happened
        for item, value, time in ordered:
            about = {"user": user, "item": item, "value": value, "kind": "rating", "order": len(rows)}
            rows.append(about | {"domain": dataset.domain, "timestamp": time * 1000 if times else None})
    events = pl.DataFrame(rows, schema=interaction_schema(), orient="row")
    liked = (pl.col("value") >= LIKED).fill_null(False)
    events.with_columns(liked=liked).write_parquet(folder / "interactions.parquet")
    things = [
        {
            "domain": dataset.domain,
            "item": code,
            "item_id": f"i{code}",
            "title": f"Thing {code}",
            "categories": [],
        }
        | {"category": categories[code % len(categories)] if categories else ""}
        for code in range(items)
    ]
    pl.DataFrame(things, schema=item_schema(), orient="row").write_parquet(folder / "items.parquet")
    people = [{"domain": dataset.domain, "user": u, "user_id": f"u{u}"} for u in range(len(world))]
    pl.DataFrame(people, schema=user_schema(), orient="row").write_parquet(folder / "users.parquet")
    counts = {"ordered": times, "met_again": True, "rows_out": len(rows), "items": items, "users": len(world)}
    return CachedDataset(dataset, folder, LIKED, record(DatasetCounts, **counts))


def cut(parts: Sequence[CachedDataset], data: DataConfig) -> dict[str, list[Case]]:
    """All cases by source, of every split."""
    sources = make_case_sources(parts, data)
    users = splits.assign([source.pool for source in sources], data.seed)
    return {source.name: all_cases(source, own) for source, own in zip(sources, users, strict=True)}


def all_cases(source: CaseSource, users: Any) -> list[Case]:
    return [case for split in SPLITS for case in source.cut(split, users[split], source.pool.wanted[split])]
