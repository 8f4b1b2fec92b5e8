"""The search indexes of the table of chunks: full text, and IVF-PQ over the vectors. And copies."""

from __future__ import annotations

import shutil
import tempfile
import typing
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

if typing.TYPE_CHECKING:
    from lancedb.table import Table

_WIDTH = 8  # numbers of a vector that IVF-PQ stands for with one byte
_SEGMENTS = 8  # a vector index with more segments is rebuilt
_LEFT = timedelta(hours=1)  # how long earlier versions of the table stay, for whoever still reads them


def refresh_indexes(table: Table, *, approximate: bool, segments: int = _SEGMENTS) -> None:
    """Create missing indexes, add new rows to existing ones, and rebuild a vector index of many segments.

    Args:
        approximate: vectors are searched by IVF-PQ.
        segments: a vector index with more segments is rebuilt.
    """
    _make_indexes(table, approximate=approximate)
    table.optimize(cleanup_older_than=_LEFT)
    if approximate and _segments(table) > segments:
        _make_vector_index(table)


def _make_indexes(table: Table, *, approximate: bool) -> None:
    """Create missing indexes; existing ones take in new rows when the table is optimised."""
    from lancedb.index import FTS, Bitmap, BTree

    wanted: dict[str, Any] = {"text": FTS()}
    if approximate:
        wanted |= {"item_id": BTree(), "domain": Bitmap()}
    there = {column for index in table.list_indices() for column in index.columns}
    for column, config in wanted.items():
        if column not in there:
            table.create_index(column, config=config)
    if approximate and "vector" not in there:
        _make_vector_index(table)


def _make_vector_index(table: Table) -> None:
    from lancedb.index import IvfPq

    rows, width = table.count_rows(), table.schema.field("vector").type.list_size
    bytes_ = next(n for n in range(max(1, width // _WIDTH), 0, -1) if width % n == 0)
    config = IvfPq(distance_type="cosine", num_partitions=max(1, round(rows**0.5)), num_sub_vectors=bytes_)
    table.create_index("vector", config=config)


def _segments(table: Table) -> int:
    """The number of segments of the vector index: each update adds one, and a search visits all."""
    stats = (table.index_stats(index.name) for index in table.list_indices() if "vector" in index.columns)
    return max((found.num_indices or 1 for found in stats if found), default=0)


def copy_index(source: Path, folder: Path) -> None:
    """Copy a finished index, for `rectune.retrieval.index.build_index` to bring up to date.

    Who reads the old one is not disturbed. Nothing happens where there is something already. The copy is
    there as a whole or not at all.
    """
    if folder.exists():
        return
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix="copy-") as place:
        made = Path(shutil.copytree(source, Path(place) / "index"))
        with suppress(FileExistsError):
            made.rename(folder)
