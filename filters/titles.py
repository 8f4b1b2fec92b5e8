"""The catalogue's titles, to find the items of a row and, where a response recommends none of them, any other item."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from rectune.core.tables import read_table
from rectune.prompts.answers import read_answer
from rectune.prompts.titles import TitleIndex


@dataclass(frozen=True)
class Titles:
    """Titles by domain and published id."""

    by_domain: Mapping[str, Mapping[str, str]]
    _indices: dict[str, TitleIndex] = field(default_factory=dict)

    def of(self, domain: str, item_ids: Iterable[str]) -> list[str]:
        """The titles of these ids, in their order; KeyError if the domain lacks one."""
        known = self.by_domain[domain]
        return [known[item_id] for item_id in item_ids]

    def recommended(self, domain: str, text: str) -> str:
        """The title, of all in the domain, that a text recommends; empty if none. A domain's index is built once."""
        if domain not in self._indices:
            self._indices[domain] = TitleIndex(list(self.by_domain[domain].values()))
        index = self._indices[domain]
        found = read_answer(text, index).recommended
        return "" if found is None else index.titles[found]


def load_titles(path: Path) -> Titles:
    """From `items.parquet` as the data stage writes it."""
    table = read_table(path).select("domain", "item_id", "title")
    found: dict[str, dict[str, str]] = {}
    for domain, item_id, title in table.iter_rows():
        found.setdefault(domain, {})[item_id] = title
    return Titles(found)
