"""Stage `data`: raw files into the three tables, and into cases: histories, targets, candidates."""

from __future__ import annotations

import typing
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from datagen import mixture, splits
from datagen.datasets import registry
from rectune import settings
from rectune.errors import UserError
from rectune.progress import progress
from rectune.recipe import Recipe
from rectune.rows import write_rows
from rectune.types import SPLITS, Case, Split

if typing.TYPE_CHECKING:
    import polars as pl

TABLES = ("items", "users", "interactions")


@dataclass(frozen=True)
class Domain:
    """One dataset read: its tables, and what its reader counted."""

    dataset: registry.Dataset
    items: pl.DataFrame
    users: pl.DataFrame
    interactions: pl.DataFrame
    counted: dict[str, Any]


def run(config: Recipe, inputs: Mapping[str, Path], out: Path) -> dict[str, Any]:
    """Read every dataset of the recipe, write tables and cases; returns what was read, dropped, wanted and got."""
    data = config.data
    domains = _read_all(data)
    _write_tables(domains, data, out)
    wanted = {
        "train": mixture.allot(data.train, data.shares, data.datasets),
        "preference": mixture.evenly(data.preference, data.datasets),
        "test": mixture.evenly(data.test, data.datasets),
    }
    cases: list[Case] = []
    for domain in domains:
        cases += _cases(domain, data, {split: wanted[split][domain.dataset.name] for split in SPLITS})
    write_rows(out / "cases.parquet", cases, Case)
    return _stats(data, domains, cases, wanted)


def _read_all(data: settings.Data) -> list[Domain]:
    from datagen.datasets.frames import read_domain

    domains = []
    with progress("reading datasets", len(data.datasets), "datasets") as advance:
        for name in data.datasets:
            dataset = registry.find(name)
            domains.append(Domain(dataset, *read_domain(dataset, data.root)))
            advance(1)
    return domains


def _table(domain: Domain, table: str, data: settings.Data) -> pl.DataFrame:
    import polars as pl

    frame: pl.DataFrame = getattr(domain, table)
    if table != "interactions":
        return frame
    return frame.with_columns((pl.col("value") >= _threshold(domain, data)).fill_null(False).alias("liked"))


def _threshold(domain: Domain, data: settings.Data) -> float:
    """From which value on something counts as liked: the recipe's word, else the registry's."""
    return data.liked.get(domain.dataset.name, domain.dataset.liked)


def _write_tables(domains: list[Domain], data: settings.Data, out: Path) -> None:
    import polars as pl

    for table in TABLES:
        whole = pl.concat([_table(domain, table, data) for domain in domains])
        partial = out / f"{table}.parquet.partial"
        whole.write_parquet(partial, compression="zstd")
        partial.replace(out / f"{table}.parquet")


def _cases(domain: Domain, data: settings.Data, wanted: Mapping[Split, int]) -> list[Case]:
    name = domain.dataset.name
    rules = splits.Rules(
        liked=_threshold(domain, data),
        min_history=data.min_history,
        max_history=data.max_history,
        candidates=data.candidates,
        ordered=domain.dataset.ordered,
        seed=data.seed,
    )
    users = splits.eligible_users(domain.interactions, domain.users, rules)
    if not users:
        raise UserError(
            f"no user of {name} liked more than {rules.min_history} items",
            where=str(data.root / name),
            mend=f"lower data.min_history, or data.liked.{name} (now {rules.liked:g})",
        )
    shares = splits.assign(users, wanted["test"], wanted["preference"])
    catalogue = domain.items.sort("item")["item_id"].to_list()
    cases: list[Case] = []
    for split in SPLITS:
        # One user gives at most a few cases, so reading `wanted` users is always enough.
        persons = splits.people(domain.interactions, shares[split][: max(wanted[split], 1)], rules)
        cases += splits.cut_cases(domain.dataset.domain, split, persons, wanted[split], catalogue, rules)
    return cases


def _stats(
    data: settings.Data, domains: list[Domain], cases: list[Case], wanted: Mapping[str, Mapping[str, int]]
) -> dict[str, Any]:
    import collections

    got = collections.Counter((case.domain, case.split) for case in cases)
    datasets = {}
    for domain in domains:
        about = domain.dataset
        datasets[about.name] = {
            "domain": about.domain,
            "licence": about.licence,
            "redistributable": about.redistributable,
            "publisher": about.publisher,
            "home": about.home,
            "items": domain.items.height,
            "users": domain.users.height,
            "interactions": domain.interactions.height,
            "read": domain.counted,
            "cases": {s: {"wanted": wanted[s][about.name], "got": got[about.domain, s]} for s in SPLITS},
        }
    return {
        "root": str(data.root),
        "rows_in": sum(domain.interactions.height for domain in domains),
        "rows_out": len(cases),
        "datasets": datasets,
    }
