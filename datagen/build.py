"""Stage `data`: raw files into the three tables, and into cases: histories, targets, candidates."""

from __future__ import annotations

import collections
import shutil
import typing
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rectune.core import settings
from rectune.core.errors import UserError
from rectune.core.progress import progress, say
from rectune.core.recipe import Recipe
from rectune.core.rows import write_rows
from rectune.core.types import SPLITS, Case, Split
from rectune.datagen import mixture, splits
from rectune.datagen.dataset_cache import TABLES, CachedDataset, datasets_of, read_dataset
from rectune.datagen.sources import CaseSource, make_case_sources

if typing.TYPE_CHECKING:
    import polars as pl


_Cases = dict[tuple[str, Split], list[Case]]
_Counts = dict[Split, dict[str, int]]


def run(config: Recipe, inputs: Mapping[str, Path], out: Path) -> dict[str, Any]:
    """Read all datasets of the recipe, write tables and cases; returns counts of rows and cases.

    Datasets are read one after another into `parts/`, so that only one is in memory and an interrupted
    attempt resumes after the last one that was complete.
    """
    data = config.data
    parts = [read_dataset(dataset, data, out / "parts" / dataset.name) for dataset in datasets_of(data)]
    sources = make_case_sources(parts, data)
    _check(parts, sources, data)
    users = splits.assign([source.pool for source in sources], data.seed)
    cases, wanted = _cut_all(sources, users, data)
    got = _got(sources, cases)
    say(mixture.table(wanted, got))
    _check_splits(got, data)
    write_rows(out / "cases.parquet", [case for found in cases.values() for case in found], Case)
    _combine(parts, out)
    return _stats(data, parts, sources, cases, {"wanted": wanted, "got": got})


def _check(parts: Sequence[CachedDataset], sources: Sequence[CaseSource], data: settings.DataConfig) -> None:
    for part in parts:
        usable = [source.pool.users.height for source in sources if source.name == part.name]
        if usable == [0]:
            raise UserError(
                f"no user of {part.name} liked more than {data.min_history} items",
                where=str(part.dataset.place(data.folder)),
                hint=f"lower data.min_history, or data.positive_threshold.{part.name} (now {part.liked:g})",
            )
    if not sources:
        hint = "add a dataset that has interactions to data.datasets"
        raise UserError(
            "no dataset has interactions, so there are no cases", where="data.datasets", hint=hint
        )


def _check_splits(got: _Counts, data: settings.DataConfig) -> None:
    for split, counts in got.items():
        if not sum(counts.values()):
            raise UserError(
                f"no user is left for the split {split}",
                where=str(data.folder),
                hint="lower data.min_history, data.test or data.preference, "
                "or change data.train_time_quantile",
            )


def _cut_all(
    sources: Sequence[CaseSource], users: Sequence[Mapping[Split, pl.Series]], data: settings.DataConfig
) -> tuple[_Cases, _Counts]:
    """All cases by source and split, and the wanted number of each split by source."""
    wanted = {split: {source.name: source.pool.wanted[split] for source in sources} for split in SPLITS}
    cases: _Cases = {}
    with progress(
        "cutting cases", sum(sum(counts.values()) for counts in wanted.values()), "cases"
    ) as advance:
        for source, own in zip(sources, users, strict=True):
            for split in SPLITS:
                if (
                    split != "train" or source.crosses
                ):  # the number of cross-domain cases is known only when they are made
                    cases[source.name, split] = source.cut(split, own[split], source.pool.wanted[split])
                    advance(len(cases[source.name, split]))
        given = _dealt(sources, users, cases, data)
        for source, own in zip(sources, users, strict=True):
            if not source.crosses:
                cases[source.name, "train"] = source.cut("train", own["train"], given[source.name])
                advance(len(cases[source.name, "train"]))
    return cases, wanted


def _dealt(
    sources: Sequence[CaseSource],
    users: Sequence[Mapping[Split, pl.Series]],
    cases: _Cases,
    data: settings.DataConfig,
) -> dict[str, int]:
    """The number of training cases of each source."""
    capacity = {
        source.name: len(cases[source.name, "train"]) if source.crosses else source.capacity(own["train"])
        for source, own in zip(sources, users, strict=True)
    }
    shares = {source.name: source.share for source in sources}
    return mixture.deal(data.train, shares, list(shares), capacity, spread=data.shortfall == "spread")


def _got(sources: Sequence[CaseSource], cases: _Cases) -> _Counts:
    return {split: {source.name: len(cases[source.name, split]) for source in sources} for split in SPLITS}


def _combine(parts: Sequence[CachedDataset], out: Path) -> None:
    """Combine the parts into one file per table."""
    import polars as pl

    for table in TABLES:
        files = [part.file(table) for part in parts]
        whole = out / f"{table}.parquet"
        if len(files) == 1:
            files[0].replace(whole)
        else:
            partial = out / f"{table}.parquet.partial"
            pl.scan_parquet(files).sink_parquet(partial, compression="zstd", compression_level=1)
            partial.replace(whole)
    shutil.rmtree(out / "parts")


def _stats(
    data: settings.DataConfig,
    parts: Sequence[CachedDataset],
    sources: Sequence[CaseSource],
    cases: _Cases,
    counts: Mapping[str, _Counts],
) -> dict[str, Any]:
    datasets = {}
    for part in parts:
        about = part.dataset
        own = [case for split in SPLITS for case in cases.get((part.name, split), [])]
        datasets[part.name] = {
            "domain": about.domain,
            "licence": part.counted["licence"],
            "redistributable": part.counted["redistributable"],
            "publisher": about.publisher,
            "home": about.home,
            "liked": part.liked,
            "items": part.counted["items"],
            "users": part.counted["users"],
            "interactions": part.counted["rows_out"],
            "read": part.counted,
            "cases": _by_split(part.name, counts),
            "categories": _by_category(own),
        }
    return {
        "root": str(data.root),
        "rows_in": sum(part.counted["rows_out"] for part in parts),
        "rows_out": sum(len(found) for found in cases.values()),
        "datasets": datasets,
        "crossings": {source.name: _by_split(source.name, counts) for source in sources if source.crosses},
    }


def _by_split(name: str, counts: Mapping[str, _Counts]) -> dict[str, dict[str, int]]:
    return {split: {what: counts[what][split].get(name, 0) for what in ("wanted", "got")} for split in SPLITS}


def _by_category(cases: Sequence[Case]) -> dict[str, dict[str, int]]:
    """Cases by category of the target and split; empty where the dataset has no categories."""
    found: dict[str, collections.Counter[str]] = {}
    for case in cases:
        if case.category:
            found.setdefault(case.category, collections.Counter())[case.split] += 1
    return {category: dict(found[category]) for category in sorted(found)}
