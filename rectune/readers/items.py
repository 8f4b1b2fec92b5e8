"""A table of items, of a recipe's own dataset or of a catalogue: rows with the fields that all items have."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rectune.core.errors import UserError
from rectune.readers import table
from rectune.readers.cells import cell, identity, looked_into, text, texts
from rectune.readers.columns import ITEM_NAMES, Columns, find_columns
from rectune.readers.drops import Drops
from rectune.readers.file_format import FileFormat
from rectune.readers.text import clean_text, clean_title

_FIELDS = ("title", "categories", "description", "year")
ANY_SIGN = "any"  # categories in one cell are parted by bars, semicolons or commas
_ANY = re.compile(r"\s*[|;,]\s*")
_YEAR = re.compile(r"(?<!\d)([12]\d{3})(?!\d)")
_SPREADSHEET = re.compile(r"-?\d+(?:[.,]\d+)?[eE]\+\d+")
_LEAST, _SHARE = 3, 0.01  # a title is suspicious that so many items, and more than this share of them, bear


@dataclass(frozen=True)
class ItemTable:
    """Where items are, and what its columns are.

    Attributes:
        mapped: field (a key of `ITEM_NAMES`) -> column, where the guess would be another; "" takes none.
        facts: further columns that travel with an item.
        division: the column that says which part of the dataset an item is of; "" for none.
        image: the column that names each item's picture; "" for none.
        separator: what parts the categories in one cell; `ANY_SIGN`; "" for nothing.
        needed: fields that must be found.
        where: what `mapped` comes from, for errors.
    """

    path: Path
    written: FileFormat
    mapped: Mapping[str, str]
    facts: Sequence[str] = ()
    separator: str = ANY_SIGN
    needed: Sequence[str] = ("item_id", "title")
    where: str = "the column map"
    division: str = ""
    image: str = ""

    def columns(self) -> Columns:
        """Its columns.

        Raises:
            UserError: see `find_columns` and `table.columns`.
        """
        there = table.columns(self.path, self.written)
        found = find_columns(self.path, there, ITEM_NAMES, self.mapped, self.needed, self.facts, self.where)
        for column, use in ((self.division, "division"), (self.image, "pictures")):
            found = found.also(self.path, there, column, use) if column else found
        return found

    def rows(self, found: Columns, drops: Drops) -> Iterator[dict[str, Any]]:
        """The items as they stand there, with the fields of `rectune.readers.raw.item_columns`; titles may be
        empty.

        Raises:
            UserError: see `table.rows`; or a spreadsheet has rewritten the ids.
        """
        names = [*found.taken.values(), *self.facts, *filter(None, [self.division, self.image])]
        for record in table.rows(self.path, names, drops, self.written):
            row = {field: record[column] for field, column in found.taken.items()}
            item_id = identity(row.get("item_id"))
            if "+" in item_id:
                refuse_rewritten(item_id, self.path)
            of = {field: values_of(field, row.get(field), self.separator) for field in _FIELDS}
            year = next(iter(of["year"]), None)
            yield {
                "item_id": item_id,
                "title": next(iter(of["title"]), ""),
                "categories": of["categories"],
                "description": next(iter(of["description"]), ""),
                "year": year,
                "extra": "{}",
                "marks": [str(year) if year else None],
                "category": cell(record[self.division]) if self.division else "",
                "facts": facts_of({name: record[name] for name in self.facts}) if self.facts else [],
                "image": cell(record[self.image]) if self.image else "",
            }


def values_of(field: str, value: Any, separator: str) -> list[Any]:
    """What a cell holds for a field of an item, at most one value but of categories; none where it is
    missing.
    """
    if field == "categories":
        return _categories(value, separator)
    if field == "year":
        year = _YEAR.search(text(value) or "")
        return [int(year[1])] if year else []
    found = (
        clean_title(cell(value)) if field == "title" else cell(value, " " if field == "description" else ", ")
    )
    return [found] if found else []


def facts_of(named: Mapping[str, Any]) -> list[str]:
    """Facts as text, `price: 12`; those without a value are left out."""
    told = {name: cell(value) for name, value in named.items()}
    return [f"{clean_text(name)}: {value}" for name, value in told.items() if value]


def refuse_rewritten(item_id: str, path: Path) -> None:
    """Refuse an id in which a spreadsheet has rounded its digits away.

    Raises:
        UserError: it is one.
    """
    if _SPREADSHEET.fullmatch(item_id):
        raise UserError(
            f"a spreadsheet has rewritten ids: {item_id} stands for many of them",
            where=str(path),
            hint="format the column as text before the file is opened and saved, or export it anew",
        )


def common_title(titles: Sequence[str]) -> str:
    """A warning where one title is borne by more items than can be; empty otherwise."""
    counts: dict[str, int] = {}
    for title in titles:
        counts[title] = counts.get(title, 0) + 1
    title, count = max(counts.items(), key=lambda each: each[1], default=("", 0))
    if count < _LEAST or count <= _SHARE * len(titles):
        return ""
    borne = f"{count:,} of {len(titles):,} items bear the title “{title[:80]}”"
    return f"warning: {borne}; is the column of titles the right one?"


def _categories(value: Any, separator: str) -> list[str]:
    inside = looked_into(value)
    parts = texts(inside if isinstance(inside, (list, dict)) else value)
    if isinstance(inside, (list, tuple, dict)) and separator == ANY_SIGN:
        return [name for part in parts if (name := clean_text(part))]
    if separator == ANY_SIGN:
        split = [name for part in parts for name in _ANY.split(part)]
    else:
        split = [name for part in parts for name in (part.split(separator) if separator else [part])]
    return [name for each in split if (name := cell(each))]
