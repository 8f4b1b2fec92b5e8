"""A dataset of one's own: any table of items and of interactions, with a map of which column is what."""

from __future__ import annotations

import functools
import typing
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rectune.core.errors import UserError
from rectune.core.progress import say
from rectune.core.settings import CustomDatasetConfig
from rectune.datagen.datasets import tables
from rectune.datagen.datasets.entry import Dataset, Layout
from rectune.datagen.datasets.lines import item_table, text, texts
from rectune.datagen.datasets.raw import Drops, Raw, interaction_frame, no_users
from rectune.datagen.datasets.registry import nearest
from rectune.datagen.datasets.times import Clock
from rectune.readers.columns import ITEM_NAMES, guessed

if typing.TYPE_CHECKING:
    import polars as pl

# The same for interactions as `rectune.readers.columns` has for items.
INTERACTION_NAMES: dict[str, Sequence[str]] = {
    "user_id": (
        "userid user customerid customer memberid member reviewerid visitorid accountid 회원번호 회원id 회원 고객번호 "
        "고객id 고객 사용자id 사용자 유저"
    ).split(),
    "item_id": ITEM_NAMES["item_id"],
    "value": "value rating stars score points hours quantity count 평점 별점 점수 수량".split(),
    "timestamp": (
        "timestamp time datetime date unixtime createdat created purchasedat orderdate eventtime 일시 시각 시간 날짜 "
        "등록일 구매일 주문일"
    ).split(),
}
_YEAR = r"(?:^|\D)([12]\d{3})(?:\D|$)"


def dataset(name: str, spec: CustomDatasetConfig, root: Path) -> Dataset:
    """The registry's entry of such a dataset; its layout is ordered if its interactions have a column of times.

    Raises:
        UserError: the recipe's words do not fit the files.
    """
    events = root / spec.interactions
    there = bool(spec.interactions) and events.is_file()  # what is missing is `registry.locate`'s to say
    ordered = there and "timestamp" in _columns(events, spec.interaction_columns, INTERACTION_NAMES)
    files = (spec.items, spec.interactions) if spec.interactions else (spec.items,)
    return Dataset(
        name=name,
        domain=spec.domain,
        publisher="a dataset of one's own",
        home=f"data.custom.{name} of the recipe",
        licence=spec.licence,
        redistributable=spec.redistributable,
        liked=spec.positive_threshold,
        why_liked="the recipe says so",
        people=name,
        layouts=(Layout("custom", files, functools.partial(read, columns=spec), ordered=ordered),),
        folder=".",
    )


def read(files: Sequence[Sequence[Path]], drops: Drops, columns: CustomDatasetConfig) -> Raw:
    """Read one file of items and, where there is one, one of interactions: CSV, TSV, JSON lines (each also .gz), Parquet.

    Ids are text. A whole number is written without a fraction in either file, so 1, "1", 1.0 and "1.0" are one
    id; leading zeros stay ("007" is not "7"). Without a column of values every interaction has the value 1.

    Raises:
        UserError: a file cannot be read, or a column is unknown or cannot be guessed.
    """
    (items,), *rest = files
    found = _columns(items, columns.item_columns, ITEM_NAMES, ("item_id", "title"))
    _tell(items, found, columns.item_columns)
    table = item_table(_items(items, found, columns.categories_separator, drops))
    normal = table.with_columns(item_id=_normal(table["item_id"]))
    batches: Iterable[pl.DataFrame] = _Interactions(rest[0][0], columns, drops) if rest else ()
    return Raw(normal, batches, no_users(), drops)


@dataclass(frozen=True)
class _Interactions:
    """Batches of one file; each iteration reads it anew."""

    path: Path
    spec: CustomDatasetConfig
    drops: Drops

    def __iter__(self) -> Iterator[pl.DataFrame]:
        import polars as pl

        mapped = self.spec.interaction_columns
        found = _columns(self.path, mapped, INTERACTION_NAMES, ("user_id", "item_id"))
        _tell(self.path, found, mapped)
        types = {
            "user_id": pl.String(),
            "item_id": pl.String(),
            "value": pl.Float64(),
            "timestamp": pl.String(),
        }
        schema = {column: types[name] for name, column in found.items()}
        needed = [found["user_id"], found["item_id"]]
        clock = Clock(self.path, found.get("timestamp", ""), self.drops)
        for batch in tables.batches(self.path, schema, needed, self.drops):
            table = batch.rename({column: name for name, column in found.items()})
            ids = table.with_columns(user_id=_normal(table["user_id"]), item_id=_normal(table["item_id"]))
            timed = clock.read(ids) if "timestamp" in found else ids
            valued = timed if "value" in found else timed.with_columns(value=pl.lit(1.0))
            yield interaction_frame(valued, self.spec.kind)


def _items(path: Path, found: Mapping[str, str], separator: str, drops: Drops) -> Iterator[dict[str, Any]]:
    import re

    for record in tables.rows(path, list(found.values()), [found["item_id"]], drops):
        row = {name: record.get(column) for name, column in found.items()}
        year = re.search(_YEAR, text(row.get("year")) or "")
        yield {
            "item_id": text(row["item_id"]),
            "title": text(row["title"]),
            "categories": _categories(row.get("categories"), separator),
            "description": " ".join(texts(row.get("description"))),
            "year": int(year[1]) if year else None,
            "extra": "{}",
            "marks": [year[1] if year else None],
        }


def _categories(value: Any, separator: str) -> list[str]:
    parts = texts(value)
    return [name.strip() for part in parts for name in (part.split(separator) if separator else [part])]


def _normal(ids: pl.Series) -> pl.Series:
    return ids.str.strip_chars().str.replace(r"^(-?\d+)\.0+$", "$1")


def _columns(
    path: Path,
    mapped: Mapping[str, str],
    names: Mapping[str, Sequence[str]],
    needed: Sequence[str] = (),
) -> dict[str, str]:
    """Field -> column of the file, as mapped, else as guessed; a column serves one field."""
    for name in mapped:
        if name not in names:
            raise UserError(f"unknown field {name!r}{nearest(name, names)}", where=f"the column map of {path.name}",
                            hint=f"fields: {', '.join(names)}")  # fmt: skip
    there = tables.columns(path)
    found = {name: column for name, column in mapped.items() if column}
    for name, column in found.items():
        if column not in there:
            absent = f"has no column {column!r} (mapped as {name}){nearest(column, there)}"
            raise UserError(absent, where=str(path), hint=f"columns: {', '.join(there[:40])}")
    if twice := [column for column in found.values() if list(found.values()).count(column) > 1]:
        raise UserError(
            f"the column {twice[0]!r} is mapped twice", where=str(path), hint="map each column once"
        )
    unmapped = {name: likely for name, likely in names.items() if name not in mapped}
    found |= guessed(unmapped, there, found.values())
    if lack := [name for name in needed if name not in found]:
        absent = f"no column looks like {' or '.join(lack)} among: {', '.join(there[:40])}"
        raise UserError(
            absent, where=str(path), hint=f"name it in the recipe's column map, as {lack[0]}: COLUMN"
        )
    return found


def _tell(path: Path, found: Mapping[str, str], mapped: Mapping[str, str]) -> None:
    """What was guessed, for the person to see."""
    if told := [f"{column} as {name}" for name, column in found.items() if name not in mapped]:
        say(f"  {path.name}: columns guessed from their names: {', '.join(told)}")
