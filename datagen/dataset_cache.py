"""The tables of one dataset on disk, before all are joined; a dataset that is there is not read again."""

from __future__ import annotations

import json
import typing
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from rectune.core import settings
from rectune.core.artifacts import write_atomically
from rectune.core.errors import UserError
from rectune.core.progress import say
from rectune.datagen.datasets import registry

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
    counted: dict[str, Any]

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
        return bool(self.counted["ordered"])

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


def read_dataset(dataset: registry.Dataset, data: settings.DataConfig, folder: Path) -> CachedDataset:
    """Read one dataset into its tables below `folder`.

    Raises:
        UserError: see `rectune.datagen.datasets.frames.read_domain`.
    """
    liked = data.positive_threshold.get(dataset.name, dataset.liked)
    if not (folder / _COUNTED).is_file():
        counted = _read(dataset, data, liked, folder)
        write_atomically(folder / _COUNTED, json.dumps(counted, ensure_ascii=False))
    return CachedDataset(dataset, folder, liked, json.loads((folder / _COUNTED).read_text(encoding="utf-8")))


def _read(dataset: registry.Dataset, data: settings.DataConfig, liked: float, folder: Path) -> dict[str, Any]:
    import polars as pl

    from rectune.datagen.datasets.frames import read_domain

    folder.mkdir(parents=True, exist_ok=True)
    tables = read_domain(dataset, data.folder, data.malformed, data.categories.get(dataset.name, ()))
    marked = tables.interactions.with_columns(liked=(pl.col("value") >= liked).fill_null(False))
    for name, table in zip(TABLES, (tables.items, tables.users, marked), strict=True):
        table.sink_parquet(folder / f"{name}.parquet", compression="zstd", compression_level=1)
    counted = tables.stats
    say(
        f"  {dataset.name}: {counted['items']:,} items, {counted['users']:,} users, "
        f"{counted['rows_out']:,} of {counted['rows_in']:,} interactions"
    )
    return counted
