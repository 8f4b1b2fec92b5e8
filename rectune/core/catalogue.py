"""Looking items up by id: the catalogue of one or more domains, read from the items table."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from rectune.core.tables import read_table
from rectune.core.types import Item


@dataclass(frozen=True)
class Catalogue:
    """Items by domain and published id, in the table's order."""

    items: dict[tuple[str, str], Item]

    def get(self, domain: str, item_id: str) -> Item:
        """The item; KeyError if the domain has no such id."""
        return self.items[domain, item_id]

    def titles(self, domain: str, item_ids: Iterable[str]) -> list[str]:
        """The titles of these ids, in the same order."""
        return [self.items[domain, item_id].title for item_id in item_ids]

    def of(self, domain: str) -> list[Item]:
        """All items of one domain."""
        return [item for item in self.items.values() if item.domain == domain]

    @property
    def domains(self) -> list[str]:
        """The domains, sorted."""
        return sorted({domain for domain, _ in self.items})


def load_catalogue(path: Path) -> Catalogue:
    """Read `items.parquet` as the data stage writes it."""
    columns = ("domain", "item_id", "title", "categories", "description", "year", "facts")
    rows = read_table(path).select(columns).iter_rows()
    items = [Item(d, i, t, tuple(c or ()), text or "", y, tuple(f or ())) for d, i, t, c, text, y, f in rows]
    return Catalogue({(item.domain, item.item_id): item for item in items})
