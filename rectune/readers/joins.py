"""Further tables that say more of the items of a dataset of one's own."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rectune.core.errors import UserError
from rectune.core.settings.data import Join
from rectune.core.text.nearest import nearest
from rectune.readers import table
from rectune.readers.cells import identity
from rectune.readers.columns import ITEM_NAMES, guessed, shown
from rectune.readers.drops import Drops
from rectune.readers.file_format import FileFormat
from rectune.readers.items import refuse_rewritten, values_of


@dataclass(frozen=True)
class Joined:
    """One such table, how it is written, and what its column is."""

    path: Path
    written: FileFormat
    join: Join

    @property
    def field(self) -> str:
        """The field that its column fills: one of `ITEM_NAMES`, or `fact`."""
        if self.join.field:
            return self.join.field
        names = {name: likely for name, likely in ITEM_NAMES.items() if name != "item_id"}
        return next(iter(guessed(names, [self.join.add])), "fact")

    def values(self, separator: str, drops: Drops) -> dict[str, list[Any]]:
        """Item id -> what the rows of the item hold, in the file's order.

        Raises:
            UserError: the file cannot be read, or lacks a column.
        """
        there = table.columns(self.path, self.written)
        for column in (self.join.on, self.join.add):
            if column not in there:
                found = f"has no column {column}{nearest(column, there)}"
                raise UserError(found, where=str(self.path), hint=f"columns: {shown(there)}")
        found_values: dict[str, list[Any]] = {}
        for row in table.rows(self.path, [self.join.on, self.join.add], drops, self.written):
            item_id = identity(row[self.join.on])
            refuse_rewritten(item_id, self.path)
            if not item_id:
                drops.add("joined row without an id", 1, f"{self.path.name}: {self.join.add}")
            elif values := values_of(self.field, row[self.join.add], separator):
                found_values.setdefault(item_id, []).extend(values)
        return found_values


def with_joins(
    rows: Iterable[dict[str, Any]], joins: Sequence[Joined], separator: str, drops: Drops
) -> Iterator[dict[str, Any]]:
    """The rows of items with what the further tables say of them; a field of the items' own table comes
    first.
    """
    tables = [(joined, joined.values(separator, drops)) for joined in joins]
    met: set[str] = set()
    for row in rows:
        for joined, found in tables:
            if values := found.get(row["item_id"]):
                _add(row, joined, values)
        met.add(row["item_id"])
        yield row
    for joined, found in tables:
        strange = [item_id for item_id in found if item_id not in met]
        where = f"{joined.path.name}: {joined.join.on} {strange[0][:60]}" if strange else ""
        drops.add("joined id of an unknown item", len(strange), where)


def _add(row: dict[str, Any], joined: Joined, values: list[Any]) -> None:
    if joined.field == "categories":
        row["categories"] = list(dict.fromkeys([*row["categories"], *values]))
    elif joined.field == "description":
        row["description"] = " ".join(filter(None, [row["description"], *values]))
    elif joined.field == "fact":
        row["facts"] = [*row["facts"], f"{joined.join.add}: {', '.join(dict.fromkeys(values))}"]
    elif not row[joined.field]:
        row[joined.field] = values[0]
        if joined.field == "year":
            row["marks"] = [str(values[0])]
