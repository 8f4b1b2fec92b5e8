"""The index of a catalogue on disk (LanceDB): created, updated, and opened.

One table has a row per chunk: its vector, its text, and the digest of its item. Its text is indexed by words
(languages with spaces); a text that holds Hangul or another script whose words are not separate has its terms
beside it (`rectune.retrieval.terms`), which are searched in memory. From `IndexConfig.rows` chunks on vectors
are searched by IVF-PQ (Jegou et al. 2011); below it all of them are compared.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import typing
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from rectune.core.artifacts import write_atomically
from rectune.core.errors import UserError, first_line
from rectune.core.extras import needs_extra
from rectune.core.progress import progress, say
from rectune.core.text.morphemes import segmenter
from rectune.core.text.plain import encodable
from rectune.core.types import Item
from rectune.retrieval.chunks import Chunk, ChunkConfig, chunks_of
from rectune.retrieval.embedding import dimension, embed
from rectune.retrieval.index_maintenance import refresh_indexes
from rectune.retrieval.item_cosines import Key
from rectune.retrieval.relevance_threshold import calibrate
from rectune.retrieval.search import CatalogueIndex, SearchHit
from rectune.retrieval.table_rows import ALL, quoted
from rectune.retrieval.terms import joined_terms, refuse_other_segmenter

__all__ = ["SearchHit", "CatalogueIndex", "IndexConfig", "build_index", "open_index"]

if typing.TYPE_CHECKING:
    import pyarrow as pa
    from lancedb import DBConnection
    from lancedb.table import Table

_TABLE, _MARKER, _LOCK = "chunks", "index.json", "lock"
_FORMAT = 4  # raised when the table's columns, or what is embedded of an item, change
_DELETED = 500  # items a deletion
_HINT = "delete that folder; the same command builds it again"


@dataclass(frozen=True, slots=True)
class IndexConfig:
    """How items are split into chunks, and the number of chunks from which on the search is approximate.

    `batch` items are embedded before they are written: a killed build loses at most these.
    """

    cut: ChunkConfig = field(default_factory=ChunkConfig)
    rows: int = 100_000
    batch: int = 2048


@dataclass(frozen=True)
class _Marker:
    """What the table was made with; `whole` is written last and says that the table is complete."""

    format: int
    embedder: str
    longest: int
    overlap: int
    rows: int
    content: str = ""
    items: int = 0
    whole: bool = False
    chunks: int = 0
    approximate: bool = False
    segmenter: str = ""
    min_similarities: Mapping[str, float] = field(default_factory=dict)

    def made_like(self, other: _Marker | None) -> bool:
        """Whether rows made with the other configuration can be kept."""
        names = ["format", "embedder", "longest", "overlap"]
        if other and other.segmenter:  # some rows have terms
            names.append("segmenter")
        return other is not None and all(getattr(self, name) == getattr(other, name) for name in names)


def build_index(
    items: Sequence[Item], folder: Path, embedder: str, plan: IndexConfig | None = None
) -> CatalogueIndex:
    """Update the index in `folder` to these items, and open it.

    Only items that are new or changed are embedded; those that are gone are deleted. An interrupted build
    resumes after the last batch that was written. An index made by another embedder or with other chunks, or
    one that cannot be read, is rebuilt.

    Raises:
        UserError: there are no items, or the embedder cannot be loaded.
    """
    if not items:
        raise UserError(
            "the catalogue holds no items", where=str(folder), hint="give at least one item with a title"
        )
    plan = plan or IndexConfig()
    digests: dict[Key, str] = {}
    for item in items:
        digests.setdefault((item.domain, item.item_id), _digest(item))
    content = f"{sum(int(digest, 16) for digest in digests.values()) % 2**128:032x}"
    cut = (plan.cut.longest, plan.cut.overlap)
    wanted = _Marker(_FORMAT, embedder, *cut, plan.rows, content, len(digests), segmenter=segmenter())
    folder.mkdir(parents=True, exist_ok=True)
    with _locked(folder):
        found = _read_marker(folder)
        current = found and found.whole and (found.content, found.rows) == (content, plan.rows)
        if not (current and wanted.made_like(found) and _opened(folder) is not None):
            _bring_up_to_date(items, digests, folder, wanted, plan.batch, keep=wanted.made_like(found))
    return open_index(folder)


def open_index(folder: Path) -> CatalogueIndex:
    """Open a finished index.

    Raises:
        UserError: there is none, or it was never finished, or it cannot be read, or its Korean texts were
            split by another version of `kiwipiepy`, or without it.
    """
    marker = _read_marker(folder)
    if marker is None or not marker.whole:
        raise UserError("no finished index", where=str(folder), hint=_HINT)
    table = _opened(folder)
    if table is None:
        raise UserError("damaged index: its table cannot be read", where=str(folder), hint=_HINT)
    refuse_other_segmenter(marker.segmenter, folder, _HINT)
    names = ("chunks", "approximate", "segmenter", "min_similarities")
    facts = {name: getattr(marker, name) for name in names}
    return CatalogueIndex(table, marker.embedder, marker.items, folder=folder, **facts)


def _bring_up_to_date(
    items: Sequence[Item],
    digests: Mapping[Key, str],
    folder: Path,
    marker: _Marker,
    at_once: int,
    *,
    keep: bool,
) -> None:
    schema = _schema(dimension(marker.embedder))
    table = _opened(folder) if keep else None
    if keep and table is None and (folder / f"{_TABLE}.lance").exists():
        say(f"  the index in {folder} cannot be read and is built again; nothing but time is lost")
    write_atomically(folder / _MARKER, json.dumps(asdict(replace(marker, content=""))))
    if table is None:
        table = _new_table(folder, schema)
    stored = _stored(table)
    _delete(table, [key for key, digest in stored.items() if digests.get(key) != digest])
    left = {key for key, digest in digests.items() if stored.get(key) != digest}
    missing = list(
        {key: item for item in reversed(items) if (key := (item.domain, item.item_id)) in left}.values()
    )
    # Added from this thread: what goes wrong inside a generator that the library consumes makes it hang.
    for batch in _batches(missing[::-1], digests, marker, schema, at_once):
        table.add(batch)
    _finish(table, folder, marker, {domain for domain, _ in digests})


def _finish(table: Table, folder: Path, marker: _Marker, domains: set[str]) -> None:
    """Build the search indexes, and mark the index as complete."""
    chunks = int(table.count_rows())
    has_terms = table.count_rows("terms IS NOT NULL") > 0
    approximate = chunks >= marker.rows
    refresh_indexes(table, approximate=approximate)
    min_similarities = calibrate(table, marker.embedder, sorted(domains))
    whole = replace(
        marker,
        whole=True,
        chunks=chunks,
        segmenter=marker.segmenter if has_terms else "",
        approximate=approximate,
        min_similarities=min_similarities,
    )
    write_atomically(folder / _MARKER, json.dumps(asdict(whole), ensure_ascii=False))


@needs_extra("the index")
def _connected(folder: Path) -> DBConnection:
    # Whoever updates an IVF index whose partitions have grown is warned of each that is split; nothing is
    # amiss.
    os.environ.setdefault("LANCEDB_LOG", "error")
    import lancedb

    return lancedb.connect(folder)


def _new_table(folder: Path, schema: pa.Schema) -> Table:
    for old in folder.glob("*.lance"):
        shutil.rmtree(old)
    return _connected(folder).create_table(_TABLE, schema=schema)


def _opened(folder: Path) -> Table | None:
    """The table, or None where there is none that can be read."""
    try:
        table = _connected(folder).open_table(_TABLE)
        table.count_rows()
        table.head(1)
    except (OSError, ValueError, RuntimeError) as broken:
        if (folder / f"{_TABLE}.lance").exists():
            say(f"  {folder}: {first_line(broken)}")
        return None
    return table


def _stored(table: Table) -> dict[Key, str]:
    """The stored digest of each item in the table."""
    rows = table.search().where("part = 0").select(["domain", "item_id", "digest"]).limit(ALL).to_arrow()
    columns = (rows[name].to_pylist() for name in ("domain", "item_id", "digest"))
    return {(domain, item): digest for domain, item, digest in zip(*columns, strict=True)}


def _delete(table: Table, keys: Sequence[Key]) -> None:
    by_domain: dict[str, list[str]] = {}
    for domain, item in keys:
        by_domain.setdefault(domain, []).append(quoted(item))
    for domain, items in by_domain.items():
        for start in range(0, len(items), _DELETED):
            some = ", ".join(items[start : start + _DELETED])
            table.delete(f"domain = {quoted(domain)} AND item_id IN ({some})")


def _schema(width: int) -> pa.Schema:
    import pyarrow as pa

    texts = ("domain", "item_id", "title", "text", "terms", "digest")
    columns = [pa.field(name, pa.string()) for name in texts]
    return pa.schema(
        [pa.field("vector", pa.list_(pa.float32(), width)), *columns, pa.field("part", pa.int32())]
    )


def _batches(
    items: Sequence[Item], digests: Mapping[Key, str], marker: _Marker, schema: pa.Schema, at_once: int
) -> Iterator[pa.Table]:
    import pyarrow as pa

    cut = ChunkConfig(marker.longest, marker.overlap)
    with progress("embedding", len(items), "items") as advance:
        for start in range(0, len(items), at_once):
            cuts = [(item, chunks_of(item, cut)) for item in items[start : start + at_once]]
            texts = [chunk.embedded for _, chunks in cuts for chunk in chunks]
            owners = [at for at, (_, chunks) in enumerate(cuts, 1) for _ in chunks]
            flat = pa.array(embed(texts, marker.embedder, _by_owner(owners, advance)).reshape(-1))
            vectors = pa.FixedSizeListArray.from_arrays(flat, schema.field("vector").type.list_size)
            split = joined_terms([chunk.text for _, chunks in cuts for chunk in chunks])
            rows = (
                _row(item, digests[item.domain, item.item_id], chunk, next(split))
                for item, chunks in cuts
                for chunk in chunks
            )
            columns = list(zip(*rows, strict=True))
            yield pa.Table.from_arrays(
                [vectors, *(pa.array(c, f.type) for c, f in zip(columns, list(schema)[1:], strict=True))],
                schema=schema,
            )


def _by_owner(owners: Sequence[int], advance: Callable[[int], None]) -> Callable[[int], None]:
    """Counts items where texts are counted; `owners` are the numbers of the texts' items, from 1."""
    texts, told = 0, 0

    def advance_texts(count: int) -> None:
        nonlocal texts, told
        texts += count
        advance(owners[texts - 1] - told)
        told = owners[texts - 1]

    return advance_texts


def _row(item: Item, digest: str, chunk: Chunk, terms: str | None) -> tuple[Any, ...]:
    return (
        item.domain,
        item.item_id,
        encodable(item.title),
        chunk.text,
        terms,
        digest,
        chunk.part,
    )


def _digest(item: Item) -> str:
    """A hash of all fields of an item that are written."""
    content = [item.domain, item.item_id, item.title, list(item.categories), item.description, item.year]
    content += [list(item.facts)] if item.facts else []
    return hashlib.blake2b(json.dumps(content).encode(), digest_size=16).hexdigest()


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """A lock: one builder at a time; a second one waits."""
    with (folder / _LOCK).open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _read_marker(folder: Path) -> _Marker | None:
    try:
        return _Marker(**json.loads((folder / _MARKER).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None
