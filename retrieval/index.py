"""The index of a catalogue on disk (LanceDB): a vector an item, and trigram full text over the titles."""

from __future__ import annotations

import hashlib
import json
import shutil
import typing
from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rectune.errors import UserError
from rectune.runs import write_atomically
from rectune.types import Item
from retrieval.embedding import dimension, embed, encodable

if typing.TYPE_CHECKING:
    import pyarrow as pa
    from lancedb.table import Table

_TABLE, _MARKER = "items", "index.json"
_FORMAT = 1  # raised when the table's columns or the embedded text change
_ROWS = 4096  # items embedded before they are written


@dataclass(frozen=True)
class Hit:
    """An item that was found. `similarity` is the cosine of query and item, -1 to 1; 0 for full-text hits."""

    item_id: str
    title: str
    domain: str
    similarity: float


@dataclass(frozen=True)
class _Marker:
    """Written last: its existence says that the table is whole, its content what the table was made from."""

    format: int
    content: str
    embedder: str
    items: int


def item_text(item: Item) -> str:
    """What is embedded of an item: title, categories, year, description."""
    year = f" ({item.year})" if item.year else ""
    parts = [f"{item.title}{year}", ", ".join(item.categories), item.description]
    return encodable(". ".join(part for part in parts if part))


class Index:
    """An open index; `build_index` and `open_index` make one."""

    def __init__(self, table: Table, embedder: str, items: int) -> None:
        self.embedder, self.items = embedder, items
        self._table = table

    def near(
        self, text: str, domain: str | None = None, k: int = 10, without: AbstractSet[str] = frozenset()
    ) -> list[Hit]:
        """The `k` items whose embedding is nearest to that of `text`, best first.

        Args:
            text: what to look for, a query or a whole generated answer.
            domain: only items of this domain; None means all.
            k: how many; fewer come back only if the catalogue has no more.
            without: item ids to leave out (the history).
        """
        search: Any = self._table.search(embed([text], self.embedder)[0])
        rows = self._rows(search.distance_type("cosine"), domain, k + len(without), "_distance")
        hits = [Hit(row["item_id"], row["title"], row["domain"], 1.0 - row["_distance"]) for row in rows]
        return [hit for hit in hits if hit.item_id not in without][:k]

    def alike(self, title: str, domain: str | None = None, k: int = 50) -> list[Hit]:
        """Up to `k` items whose titles share the most character trigrams with `title` (BM25), best first."""
        from lancedb.query import MatchQuery

        if self.items == 0 or not title.strip():
            return []
        query = MatchQuery(encodable(title), "title")
        search = self._table.search(query, query_type="fts")
        rows = self._rows(search, domain, k, "_score")
        return [Hit(row["item_id"], row["title"], row["domain"], 0.0) for row in rows]

    def _rows(self, search: Any, domain: str | None, limit: int, figure: str) -> list[dict[str, Any]]:
        if domain is not None:
            quoted = domain.replace("'", "''")
            search = search.where(f"domain = '{quoted}'", prefilter=True)
        rows: list[dict[str, Any]] = (
            search.select(["item_id", "title", "domain", figure]).limit(limit).to_list()
        )
        return rows


def build_index(items: Sequence[Item], folder: Path, embedder: str) -> Index:
    """Build the index of these items in `folder`, or open it if it is there already and was made from the
    same items.

    A table that was half written, or made from other items or by another embedder, is replaced.

    Raises:
        UserError: there are no items, or the embedder cannot be loaded.
    """
    if not items:
        raise UserError(
            "the catalogue holds no items", where=str(folder), mend="give at least one item with a title"
        )
    wanted = _Marker(_FORMAT, _content(items), embedder, len(items))
    if _read_marker(folder) != wanted:
        _write(items, folder, wanted)
    return open_index(folder)


def open_index(folder: Path) -> Index:
    """Open a finished index.

    Raises:
        UserError: there is none, or it was never finished.
    """
    import lancedb

    marker = _read_marker(folder)
    mend = "delete that folder; the same command builds it again"
    if marker is None:
        raise UserError("no finished index", where=str(folder), mend=mend)
    try:
        table = lancedb.connect(folder).open_table(_TABLE)
        return Index(table, marker.embedder, table.count_rows())
    except (OSError, ValueError, RuntimeError) as broken:
        raise UserError(f"damaged index: {broken}", where=str(folder), mend=mend) from None


def _write(items: Sequence[Item], folder: Path, marker: _Marker) -> None:
    import lancedb
    from lancedb.index import FTS

    if folder.exists():
        shutil.rmtree(folder)
    folder.mkdir(parents=True)
    schema = _schema(dimension(marker.embedder))
    table = lancedb.connect(folder).create_table(_TABLE, schema=schema)
    # Added from this thread: what goes wrong inside a generator that the library consumes makes it hang.
    for batch in _batches(items, marker.embedder, schema):
        table.add(batch)
    # Trigrams, not words: they forgive misspelt titles and need no knowledge of the language.
    table.create_index("title", config=FTS(base_tokenizer="ngram", stem=False, remove_stop_words=False))
    write_atomically(folder / _MARKER, json.dumps(asdict(marker)))


def _schema(width: int) -> pa.Schema:
    import pyarrow as pa

    columns = [pa.field(name, pa.string()) for name in ("domain", "item_id", "title", "text")]
    return pa.schema([pa.field("vector", pa.list_(pa.float32(), width)), *columns])


def _batches(items: Sequence[Item], embedder: str, schema: pa.Schema) -> Iterator[pa.Table]:
    import pyarrow as pa

    for start in range(0, len(items), _ROWS):
        chunk = items[start : start + _ROWS]
        texts = [item_text(item) for item in chunk]
        flat = pa.array(embed(texts, embedder).reshape(-1))
        columns = [
            pa.FixedSizeListArray.from_arrays(flat, schema.field("vector").type.list_size),
            pa.array([item.domain for item in chunk]),
            pa.array([item.item_id for item in chunk]),
            pa.array([encodable(item.title) for item in chunk]),
            pa.array(texts),
        ]
        yield pa.Table.from_arrays(columns, schema=schema)


def _content(items: Sequence[Item]) -> str:
    """A hash of the items' content that does not depend on their order."""
    lines = sorted(json.dumps([item.domain, item.item_id, item.title, item_text(item)]) for item in items)
    return hashlib.blake2b("\n".join(lines).encode(), digest_size=16).hexdigest()


def _read_marker(folder: Path) -> _Marker | None:
    try:
        return _Marker(**json.loads((folder / _MARKER).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None
