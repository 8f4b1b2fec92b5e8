"""What the report and `rectune data stats` say about the data: read from what the stage `data` left in its
folder.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rectune.core.manifest import Manifest
from rectune.core.text.figures import mapping
from rectune.evaluation.data_statistics import describe

Row = Mapping[str, Any]


@dataclass(frozen=True)
class DroppedRows:
    """What was left out of a dataset for one reason; `first` says where in each file (file:line) it began."""

    dataset: str
    reason: str
    count: int
    first: tuple[str, ...]


@dataclass(frozen=True)
class MixtureRow:
    """Cases by split: wanted and got of a dataset or a crossing; only got of a dataset's `category`."""

    source: str
    wanted: Mapping[str, int]
    got: Mapping[str, int]
    category: bool = False


@dataclass(frozen=True)
class DataSummary:
    """The data of a run.

    `domains` are the entries of `rectune.evaluation.data_statistics.describe`, each with its `categories`;
    none without tables. `liked` is the value from which something counts as liked, by domain.
    """

    domains: tuple[Row, ...] = ()
    drops: tuple[DroppedRows, ...] = ()
    mixture: tuple[MixtureRow, ...] = ()
    liked: Mapping[str, float] = field(default_factory=dict)

    @property
    def rows(self) -> list[Row]:
        """Domains, each followed by its categories."""
        return [row for domain in self.domains for row in (domain, *domain["categories"])]

    @property
    def splits(self) -> list[str]:
        """The splits that cases were cut for."""
        return list(dict.fromkeys(split for mix in self.mixture for split in mix.wanted))


def read_data(folder: Path | None, manifest: Manifest | None) -> DataSummary:
    """From the stage's folder and its manifest; what is missing in them is missing in the result."""
    figures = manifest.figures if manifest else {}
    datasets = {str(name): mapping(entry) for name, entry in mapping(figures.get("datasets")).items()}
    crossings = {str(name): {"cases": cases} for name, cases in mapping(figures.get("crossings")).items()}
    return DataSummary(
        domains=_statistics(folder) if folder else (),
        drops=tuple(drop for name, entry in datasets.items() for drop in _drops(name, entry)),
        mixture=tuple(mix for name, entry in (datasets | crossings).items() for mix in _mixes(name, entry)),
        liked={
            str(entry.get("domain")): float(entry["liked"])
            for entry in datasets.values()
            if isinstance(entry.get("liked"), (int, float))
        },
    )


def _statistics(folder: Path) -> tuple[Row, ...]:
    return tuple(describe(folder)) if (folder / "interactions.parquet").is_file() else ()


def _drops(name: str, entry: Mapping[str, Any]) -> Iterator[DroppedRows]:
    read = mapping(entry.get("read"))
    first = mapping(read.get("first"))
    for reason, count in mapping(read.get("dropped")).items():
        yield DroppedRows(name, str(reason), int(count), tuple(map(str, first.get(reason) or ())))


def _mixes(name: str, entry: Mapping[str, Any]) -> Iterator[MixtureRow]:
    cases = {str(split): mapping(counts) for split, counts in mapping(entry.get("cases")).items()}
    if cases:
        wanted, got = (
            {split: int(counts.get(what, 0)) for split, counts in cases.items()} for what in ("wanted", "got")
        )
        yield MixtureRow(name, wanted, got)
    for category, counts in mapping(entry.get("categories")).items():
        yield MixtureRow(
            str(category), {}, {str(split): int(n) for split, n in mapping(counts).items()}, category=True
        )
