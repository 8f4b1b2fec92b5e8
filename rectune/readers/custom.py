"""A dataset of one's own: any table of items and of interactions, with a map of which column is what."""

from __future__ import annotations

import typing
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from rectune.core.progress import say
from rectune.core.settings import CustomDatasetConfig
from rectune.readers.drops import Drops
from rectune.readers.file_format import ENDINGS, FileFormat, ending_of
from rectune.readers.interactions import InteractionTable
from rectune.readers.items import ItemTable
from rectune.readers.joins import Joined, with_joins
from rectune.readers.json_records import item_table
from rectune.readers.raw import Raw, no_users

if typing.TYPE_CHECKING:
    import polars as pl


def read(files: Sequence[Sequence[Path]], drops: Drops, spec: CustomDatasetConfig) -> Raw:
    """Read one file of items and, where there is one, one of interactions; both may be the same file.

    Ids are text. A whole number is written without a fraction in either file, so 1, "1", 1.0 and "1.0" are
    one id; leading zeros stay ("007" is not "7"). Without a column of values every interaction has the value
    1.

    Raises:
        UserError: a file cannot be read, or a column is unknown or cannot be guessed.
    """
    (items,), *rest = files
    rest, further = (rest[:1], rest[1:]) if spec.interactions else ([], rest)
    joins = joins_of([path for (path,) in further], spec)
    source = items_of(items, spec, joins)
    found = source.columns()
    say(f"  {items.name}: {found.describe()}")
    shared = bool(rest) and rest[0][0] == items
    # A log that names what was taken repeats its items, and its malformed lines are counted with the
    # interactions.
    rows = source.rows(found, drops.uncounted() if shared else drops)
    table = item_table(with_joins(rows, joins, spec.categories_separator, drops) if joins else rows)
    if shared:
        table = table.filter(table["item_id"] != "").unique("item_id", keep="first", maintain_order=True)
    batches: Iterable[pl.DataFrame] = _Interactions(interactions_of(rest[0][0], spec), drops) if rest else ()
    return Raw(table, batches, no_users(), drops)


def reviews(
    files: Sequence[Sequence[Path]], drops: Drops, spec: CustomDatasetConfig
) -> Iterator[pl.DataFrame]:
    """What was written in the interactions, with the columns of `rectune.readers.raw.review_columns`."""
    if not spec.interactions:
        return
    table = interactions_of(files[1][0], spec)
    found = table.columns()
    if "text" not in found.taken:
        say(f"  {table.path.name}: no opinions, name the column of reviews as text in interaction_columns")
    yield from table.reviews(found, drops)


def joins_of(paths: Sequence[Path], spec: CustomDatasetConfig) -> list[Joined]:
    """The further tables that a recipe names, in its order."""
    return [
        Joined(path, written_of(path, spec, ()), join) for path, join in zip(paths, spec.joins, strict=True)
    ]


def items_of(path: Path, spec: CustomDatasetConfig, joins: Sequence[Joined] = ()) -> ItemTable:
    """The table of items that a recipe names; where a further table has the titles, it need not."""
    needed = ("item_id",) if any(joined.field == "title" for joined in joins) else ("item_id", "title")
    written = written_of(path, spec, spec.columns.get("items", []))
    return ItemTable(path, written, spec.item_columns, spec.facts,
                     spec.categories_separator, needed, "item_columns", spec.division)  # fmt: skip


def interactions_of(path: Path, spec: CustomDatasetConfig) -> InteractionTable:
    """The table of interactions that a recipe names."""
    written = written_of(path, spec, spec.columns.get("interactions", []))
    return InteractionTable(path, written, spec.interaction_columns, spec.kind)


def written_of(path: Path, spec: CustomDatasetConfig, columns: Sequence[str]) -> FileFormat:
    """How one of the files is written; the recipe's `format` is that of files whose ending says none."""
    known = ending_of(path) in ENDINGS
    return FileFormat(
        format="" if known else spec.format,
        encoding=spec.encoding,
        separator=spec.separator,
        quoted=spec.quoted,
        columns=tuple(columns),
        time_format=spec.time_format,
    )


@dataclass(frozen=True)
class _Interactions:
    """Batches of one file; each iteration reads it anew."""

    table: InteractionTable
    drops: Drops

    def __iter__(self) -> Iterator[pl.DataFrame]:
        found = self.table.columns()
        say(f"  {self.table.path.name}: {found.describe()}")
        yield from self.table.batches(found, self.drops)
