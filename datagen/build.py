"""Stage `data`: raw files into the three tables, and into cases: histories, targets, candidates."""

from __future__ import annotations

import collections
import shutil
import typing
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from rectune.core import settings
from rectune.core.errors import UserError
from rectune.core.figures import DataFigures
from rectune.core.figures.data import CaseCounts, DatasetFigures, OpinionCounts
from rectune.core.progress import progress, say
from rectune.core.recipe import Recipe
from rectune.core.rows import write_rows
from rectune.core.types import SPLITS, Case, Split
from rectune.datagen import mixture, splits
from rectune.datagen.dataset_cache import TABLES, CachedDataset, datasets_of, read_dataset
from rectune.datagen.opinions import add_opinions, items_file
from rectune.datagen.sources import CaseSource, make_case_sources

if typing.TYPE_CHECKING:
    import polars as pl


_Cases = dict[tuple[str, Split], list[Case]]
_Counts = dict[Split, dict[str, int]]


def run(config: Recipe, inputs: Mapping[str, Path], out: Path) -> DataFigures:
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
    opinions = add_opinions(parts, sources, cases, data) if data.reviews else {}
    _combine(parts, out)
    return _figures(data, parts, sources, cases, (wanted, got), opinions)


def _check(parts: Sequence[CachedDataset], sources: Sequence[CaseSource], data: settings.DataConfig) -> None:
    for part in parts:
        usable = [source.pool.users.height for source in sources if source.name == part.name]
        if usable == [0]:
            liked = _likes(part)
            found = (
                f"no user of {part.name} liked more than {data.min_history} items; the most that one liked "
                f"is {liked.most:,}, and {liked.share:.0%} of {liked.rows:,} interactions count as liked"
            )
            lower = f"lower data.positive_threshold.{part.name} (now {part.liked:g})"
            hint = (
                f"lower data.min_history, or {lower.removeprefix('lower ')}"
                if data.min_history > 1
                else lower
            )
            if liked.share == 1.0:
                hint = (
                    f"lower data.min_history to {liked.most - 1}"
                    if liked.most > 1
                    else "get more interactions"
                )
            raise UserError(found, where=str(part.dataset.place(data.folder)), hint=hint)
    if not sources:
        hint = "add a dataset that has interactions to data.datasets"
        raise UserError(
            "no dataset has interactions, so there are no cases", where="data.datasets", hint=hint
        )


class _Likes(NamedTuple):
    """How much of a dataset is liked: interactions, the share of those that are, and the most of one user."""

    rows: int
    share: float
    most: int


def _likes(part: CachedDataset) -> _Likes:
    import polars as pl

    events = pl.read_parquet(part.file("interactions"), columns=["user", "item", "liked"])
    liked = events.filter("liked").unique(["user", "item"])
    counts = liked["user"].value_counts()["count"].to_list()
    return _Likes(events.height, float(events["liked"].sum()) / max(events.height, 1), max(counts, default=0))


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
        files = [items_file(part) if table == "items" else part.file(table) for part in parts]
        whole = out / f"{table}.parquet"
        if len(files) == 1:
            files[0].replace(whole)
        else:
            partial = out / f"{table}.parquet.partial"
            pl.scan_parquet(files).sink_parquet(partial, compression="zstd", compression_level=1)
            partial.replace(whole)
    shutil.rmtree(out / "parts")


def _figures(
    data: settings.DataConfig,
    parts: Sequence[CachedDataset],
    sources: Sequence[CaseSource],
    cases: _Cases,
    counts: tuple[_Counts, _Counts],
    opinions: Mapping[str, OpinionCounts],
) -> DataFigures:
    return DataFigures(
        rows_in=sum(part.counts.rows_out for part in parts),
        rows_out=sum(len(found) for found in cases.values()),
        dropped={},
        root=str(data.root),
        datasets={
            part.name: _dataset_figures(part, cases, counts, opinions.get(part.name)) for part in parts
        },
        cross_domain={source.name: _by_split(source.name, counts) for source in sources if source.crosses},
    )


def _dataset_figures(
    part: CachedDataset, cases: _Cases, counts: tuple[_Counts, _Counts], opinions: OpinionCounts | None
) -> DatasetFigures:
    about, read = part.dataset, part.counts
    own = [case for split in SPLITS for case in cases.get((part.name, split), [])]
    return DatasetFigures(
        domain=about.domain,
        licence=read.licence,
        redistributable=read.redistributable,
        publisher=about.publisher,
        home=about.home,
        positive_threshold=part.liked,
        items=read.items,
        users=read.users,
        interactions=read.rows_out,
        read=read,
        opinions=opinions,
        cases=_by_split(part.name, counts),
        categories=_by_category(own),
    )


def _by_split(name: str, counts: tuple[_Counts, _Counts]) -> dict[Split, CaseCounts]:
    wanted, got = counts
    return {
        split: CaseCounts(wanted=wanted[split].get(name, 0), got=got[split].get(name, 0)) for split in SPLITS
    }


def _by_category(cases: Sequence[Case]) -> dict[str, dict[Split, int]]:
    """Cases by category of the target and split; empty where the dataset has no categories."""
    found: dict[str, collections.Counter[Split]] = {}
    for case in cases:
        if case.category:
            found.setdefault(case.category, collections.Counter())[case.split] += 1
    return {category: dict(found[category]) for category in sorted(found)}
