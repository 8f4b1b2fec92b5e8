"""What the report and `rectune data stats` say about the data: read from what the stage `data` left in its
folder.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from rectune.core.errors import UserError
from rectune.core.figures import DataFigures
from rectune.core.figures.data import CaseCounts, DatasetCounts, DatasetFigures, OpinionCounts
from rectune.core.figures.read_records import remake_hint
from rectune.core.figures.statistics import DomainStatistics, PartStatistics
from rectune.core.finished_stages import FinishedStages
from rectune.core.types import Split
from rectune.evaluation.data_statistics import describe


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
    wanted: Mapping[Split, int]
    got: Mapping[Split, int]
    category: bool = False


@dataclass(frozen=True)
class DataSummary:
    """The data of a run.

    `domains` are what `rectune.evaluation.data_statistics.describe` counts in its tables. By domain,
    `positive_threshold` is the value from which something counts as liked, and `opinions` what became of the
    reviews, of those that have some.
    """

    domains: tuple[DomainStatistics, ...] = ()
    drops: tuple[DroppedRows, ...] = ()
    mixture: tuple[MixtureRow, ...] = ()
    positive_threshold: Mapping[str, float] = field(default_factory=dict)
    opinions: Mapping[str, OpinionCounts] = field(default_factory=dict)

    @property
    def rows(self) -> list[PartStatistics]:
        """Domains, each followed by its categories."""
        return [row for domain in self.domains for row in (domain, *domain.categories)]

    @property
    def splits(self) -> list[Split]:
        """The splits that cases were cut for."""
        return list(dict.fromkeys(split for mix in self.mixture for split in mix.wanted))


def read_data(stages: FinishedStages) -> DataSummary:
    """What the stage `data` left; nothing where it has not finished.

    Raises:
        UserError: a table is missing, or what `FinishedStages.read` raises.
    """
    figures = stages.read(DataFigures)
    if figures is None:
        return DataSummary()
    return DataSummary(
        domains=_statistics(stages.inputs["data"]),
        drops=tuple(drop for name, one in figures.datasets.items() for drop in _drops(name, one.read)),
        mixture=(
            *(mix for name, one in figures.datasets.items() for mix in _mixes(name, one)),
            *(_mix(name, cases) for name, cases in figures.cross_domain.items()),
        ),
        positive_threshold={one.domain: one.positive_threshold for one in figures.datasets.values()},
        opinions={one.domain: one.opinions for one in figures.datasets.values() if one.opinions},
    )


def _statistics(folder: Path) -> tuple[DomainStatistics, ...]:
    for table in ("items", "users", "interactions"):
        if not (path := folder / f"{table}.parquet").is_file():
            raise UserError(f"the stage data left no {table}", where=str(path), hint=remake_hint("data"))
    return tuple(describe(folder))


def _drops(name: str, read: DatasetCounts) -> Iterator[DroppedRows]:
    for reason, count in read.dropped.items():
        yield DroppedRows(name, reason, count, read.first.get(reason, ()))


def _mixes(name: str, dataset: DatasetFigures) -> Iterator[MixtureRow]:
    yield _mix(name, dataset.cases)
    for category, counts in dataset.categories.items():
        yield MixtureRow(category, {}, dict(counts), category=True)


def _mix(name: str, cases: Mapping[Split, CaseCounts]) -> MixtureRow:
    wanted = {split: one.wanted for split, one in cases.items()}
    return MixtureRow(name, wanted, {split: one.got for split, one in cases.items()})
