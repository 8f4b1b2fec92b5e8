"""Reading anybody's own catalogue: a table, a published dataset's file of items, or a folder of articles."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rectune.core.errors import UserError
from rectune.core.types import Item
from rectune.readers.articles import read_articles
from rectune.readers.columns import Columns
from rectune.readers.drops import MALFORMED_LIMIT, Drops, left_out_lines
from rectune.readers.file_format import FileFormat
from rectune.readers.items import ItemTable, common_title, facts_of
from rectune.readers.published import published_items
from rectune.readers.text import clean_text, clean_title


@dataclass(frozen=True)
class CatalogueOptions:
    """How a catalogue is to be read.

    Attributes:
        domain: what the items are, by the names that the prompts know (movies, books, …); any other reads as
            "item".
        columns: field (title, item_id, categories, description, year) -> column, where the guess would be
            another; "" takes none.
        facts: further columns that travel with an item; of a published dataset what it says besides (brand,
            price …), after the facts that its reader always gives.
        written: how a table is written.
        published: the name of a published dataset whose file of items it is; empty for a table.
        malformed: the share of a table's lines that may be malformed.
        image: the column of a table that names each item's picture; "" for none. It is no part of the items.
    """

    domain: str = "other"
    columns: Mapping[str, str] = field(default_factory=dict)
    facts: Sequence[str] = ()
    written: FileFormat = field(default_factory=FileFormat)
    published: str = ""
    malformed: float = MALFORMED_LIMIT
    image: str = ""


@dataclass(frozen=True)
class CatalogueFile:
    """What was read: items, which column became which field, what was left out, and pictures by item id."""

    items: list[Item]
    columns: Columns
    drops: Drops
    images: Mapping[str, str] = field(default_factory=dict)

    def describe(self) -> str:
        """For the person: what was taken for what in one line, and below it what was left out and what looks
        odd.
        """
        lines = [f"{len(self.items):,} items; {self.columns.describe()}"]
        lines += left_out_lines(self.drops)
        return "\n".join([*lines, *self.drops.notes])


def read_catalogue(path: Path, source: CatalogueOptions | None = None) -> CatalogueFile:
    """Read a catalogue: CSV, TSV, JSON lines, JSON or Parquet (each also gzipped), or a folder of articles.

    A title is required of every row; an item without an id is named by its row. Text is data: control tokens
    are kept as they stand, HTML is taken out of tables.

    Raises:
        UserError: no such file, an unknown format or encoding, broken, an unknown column, or not a single
            title; or pictures are named, and it is no table.
    """
    source = source or CatalogueOptions()
    drops = Drops(malformed_limit=source.malformed)
    if not path.exists():
        raise UserError("no such file", where=str(path), hint="check the path given to --catalogue")
    if source.image and (source.published or path.is_dir()):
        raise UserError("no table, so no column names pictures", where=str(path), hint="leave the column out")
    found, images = Columns({}), dict[str, str]()
    rows: Iterable[Mapping[str, Any]]
    if source.published:
        published = published_items(source.published, path, drops)
        rows = (_published(row, source.facts) for row in published)
    elif path.is_dir():
        rows = _articles(path)
    else:
        table = ItemTable(
            path, source.written, source.columns, source.facts, needed=("title",), where="--title-column",
            image=source.image,
        )  # fmt: skip
        found = table.columns()
        rows = table.rows(found, drops)
        if "item_id" not in found.taken:
            drops.note("no column of ids: items are named by their row")
    named = "item_id" in found.taken
    items = _items(rows, path.name, source.domain, drops, named=named, images=images)
    if not items:
        said = "no row has a title" + (f" in the column {found.taken['title']}" if found.taken else "")
        lost = "; ".join(f"{count:,} times {reason}" for reason, count in drops.counts.items())
        raise UserError(f"{said} ({lost})" if lost else "holds no rows", where=str(path),
                        hint="give at least one row with a title")  # fmt: skip
    if warning := common_title([item.title for item in items]):
        drops.note(warning)
    return CatalogueFile(items, found, drops, images)


def _items(
    rows: Iterable[Mapping[str, Any]], file: str, domain: str, drops: Drops, named: bool,
    images: dict[str, str],
) -> list[Item]:  # fmt: skip
    """The items of the rows; `images` gets their pictures."""
    items: dict[str, Item] = {}
    nameless = 0
    for number, row in enumerate(rows, 1):
        item_id = row.get("item_id") or f"row {number}"
        nameless += named and not row.get("item_id")
        if not row["title"]:
            drops.add("item without a title", 1, f"{file}: row {number}")
        elif item_id in items:
            drops.add("item id seen before", 1, f"{file}: row {number}")
        else:
            items[item_id] = Item(
                domain,
                item_id,
                row["title"],
                tuple(row.get("categories") or ()),
                row.get("description") or "",
                row.get("year"),
                tuple(row.get("facts") or ()),
            )
            if image := row.get("image"):
                images[item_id] = image
    if nameless:
        drops.note(f"{nameless:,} items without an id are named by their row")
    return list(items.values())


def _published(row: Mapping[str, Any], facts: Sequence[str]) -> dict[str, Any]:
    extra = json.loads(row.get("extra") or "{}")
    categories = (clean_text(name) for name in row.get("categories") or ())
    told = facts_of({name: extra.get(name) for name in facts})
    return {
        **row,
        "title": clean_title(row["title"]),
        "description": clean_text(row.get("description")),
        "categories": [name for name in categories if name],
        "facts": list(dict.fromkeys([*(row.get("facts") or ()), *told])),
    }


def _articles(folder: Path) -> Iterator[dict[str, Any]]:
    try:
        for row in read_articles(folder):
            text = {
                name: " ".join(value.encode("utf-8", "replace").decode().split())
                for name, value in row.items()
            }
            yield text | {"item_id": row["item_id"]}
    except (OSError, ValueError) as broken:
        raise UserError(
            f"cannot be read: {broken}", where=str(folder), hint="fix the file, or take it away"
        ) from None
