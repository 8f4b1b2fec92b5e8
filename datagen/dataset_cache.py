"""The tables of one dataset on disk, before all are joined; a dataset that is there is not read again."""

from __future__ import annotations

import typing
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from rectune.core import settings
from rectune.core.artifacts import write_atomically
from rectune.core.errors import UserError
from rectune.core.figures.data import DatasetCounts
from rectune.core.figures.read_records import read_record
from rectune.core.progress import say
from rectune.core.text.nearest import nearest
from rectune.datagen.datasets import registry
from rectune.readers.interactions import values_on_both_sides

if typing.TYPE_CHECKING:
    import polars as pl

TABLES = ("items", "users", "interactions")
_COUNTED = "counted.json"


@dataclass(frozen=True)
class CachedDataset:
    """One dataset that has been read, with its reader's counts and its positive threshold (`liked`)."""

    dataset: registry.Dataset
    folder: Path
    liked: float
    counts: DatasetCounts

    @property
    def name(self) -> str:
        """The dataset's name."""
        return self.dataset.name

    def file(self, table: str) -> Path:
        """The Parquet file of one of `TABLES`."""
        return self.folder / f"{table}.parquet"

    @property
    def ordered(self) -> bool:
        """Whether its interactions have times."""
        return self.counts.ordered

    @cached_property
    def items(self) -> pl.DataFrame:
        """item_id, title, categories and category, by item code."""
        import polars as pl

        columns = ("item", "item_id", "title", "categories", "category")
        return pl.read_parquet(self.file("items"), columns=list(columns)).sort("item")

    @cached_property
    def item_ids(self) -> list[str]:
        """Published ids by item code."""
        return self.items["item_id"].to_list()

    @cached_property
    def users(self) -> pl.DataFrame:
        """user and user_id, by user code."""
        import polars as pl

        return pl.read_parquet(self.file("users"), columns=["user", "user_id"]).sort("user")

    def interactions(self, category: str = "") -> pl.LazyFrame:
        """The interactions, of items of one category if it is named."""
        import polars as pl

        whole = pl.scan_parquet(self.file("interactions"))
        if not category:
            return whole
        own = self.items.lazy().filter(pl.col("category") == category).select("item")
        return whole.join(own, on="item", how="semi", maintain_order="left")


def datasets_of(data: settings.DataConfig) -> list[registry.Dataset]:
    """The datasets that a recipe names, published ones and its own.

    Raises:
        UserError: an unknown name, two datasets of one domain, or a column map that does not fit its files.
    """
    from rectune.datagen.datasets import custom

    _check_names(data)
    own = [
        custom.dataset(name, spec, data.folder) for name, spec in data.custom.items() if name in data.datasets
    ]
    found = [registry.find(name, own) for name in data.datasets]
    bearers: dict[str, str] = {}
    for dataset in found:
        # Items and users are known by domain and code: those of two datasets would run into each other.
        other = bearers.setdefault(dataset.domain, dataset.name)
        if other != dataset.name:
            raise UserError(
                f"{other} and {dataset.name} are both of the domain {dataset.domain}",
                where="data.datasets",
                hint="leave one out, or give the dataset of your own a domain of its own",
            )
    return found


def _warn_if_all_liked(name: str, folder: Path, liked: float) -> None:
    """Ratings that all count as liked tell nothing of taste: the threshold, or the column, is probably
    another.
    """
    import polars as pl

    events = pl.scan_parquet(folder / "interactions.parquet")
    lowest, highest, all_liked, rating = events.select(
        pl.col("value").min().alias("lowest"),
        pl.col("value").max().alias("highest"),
        pl.col("liked").all().alias("all"),
        (pl.col("kind") == "rating").any().alias("rating"),
    ).collect(engine="streaming").row(0)  # fmt: skip
    if all_liked and lowest is not None and (lowest < highest or rating):
        say(
            f"  warning: all interactions of {name} count as liked: their values are {lowest:g} to "
            f"{highest:g}, and from {liked:g} on they count (data.positive_threshold.{name})"
        )


def _check_names(data: settings.DataConfig) -> None:
    """Refuse names of datasets that are none, of which a setting would silently be without effect.

    Raises:
        UserError: one is unknown.
    """
    known = [dataset.name for dataset in registry.DATASETS] + list(data.custom)
    named: dict[str, Iterable[str]] = {
        "datasets": data.datasets,
        "positive_threshold": data.positive_threshold,
        "categories": data.categories,
        "mixture_weights": data.mixture_weights,
    }
    for key, names in named.items():
        for name in names:
            if name not in known:
                found = f"unknown dataset {name}{nearest(name, known)}"
                raise UserError(found, where=f"data.{key}", hint=f"there are: {', '.join(known)}")


def read_dataset(dataset: registry.Dataset, data: settings.DataConfig, folder: Path) -> CachedDataset:
    """Read one dataset into its tables below `folder`.

    Raises:
        UserError: see `rectune.datagen.datasets.normalize.read_domain`.
    """
    liked = data.positive_threshold.get(dataset.name, dataset.liked)
    if not (folder / _COUNTED).is_file():
        write_atomically(folder / _COUNTED, _read(dataset, data, liked, folder).to_json())
        return CachedDataset(dataset, folder, liked, read_record(DatasetCounts, "data", folder / _COUNTED))
    from rectune.datagen.datasets.normalize import say_drops
    from rectune.readers.drops import Drops

    before = read_record(DatasetCounts, "data", folder / _COUNTED)
    say_drops(
        dataset.name,
        Drops(dict(before.dropped), {why: list(at) for why, at in before.first.items()}, list(before.notes)),
    )
    return CachedDataset(dataset, folder, liked, before)


def _read(dataset: registry.Dataset, data: settings.DataConfig, liked: float, folder: Path) -> DatasetCounts:
    import polars as pl

    from rectune.datagen.datasets.normalize import read_domain
    from rectune.datagen.datasets.select import Selection

    folder.mkdir(parents=True, exist_ok=True)
    wanted = Selection.of(data, liked)
    categories = data.categories.get(dataset.name, ())
    tables = read_domain(dataset, data.folder, data.malformed, categories, wanted)
    marked = tables.interactions.with_columns(liked=(pl.col("value") >= liked).fill_null(False))
    for name, table in zip(TABLES, (tables.items, tables.users, marked), strict=True):
        table.sink_parquet(folder / f"{name}.parquet", compression="zstd", compression_level=1)
    counts = DatasetCounts(**tables.stats)
    _warn_if_all_liked(dataset.name, folder, liked)
    if counts.met_again:
        events = pl.scan_parquet(folder / "interactions.parquet").select("user", "item", "value")
        if mixed := values_on_both_sides(events, ("user", "item"), liked):
            say(f"  {dataset.name}: {mixed}")
    say(
        f"  {dataset.name}: {counts.items:,} items, {counts.users:,} users, "
        f"{counts.rows_out:,} of {counts.rows_in:,} interactions"
    )
    return counts
