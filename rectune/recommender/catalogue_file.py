"""Reading anybody's own catalogue: CSV, TSV, JSON lines, Parquet, or a folder of articles; columns are guessed and said."""

from __future__ import annotations

import csv
import difflib
import json
import re
import sys
import typing
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rectune.core.errors import UserError
from rectune.core.text.plain import printable
from rectune.core.types import Item
from rectune.readers.columns import ITEM_NAMES, guessed
from rectune.recommender.articles import read_articles

_SEPARATORS = re.compile(r"\s*[|;,]\s*")
_YEAR = re.compile(r"(?<!\d)([12]\d{3})(?!\d)")
_SPACES = re.compile(r"\s+")

Record = Mapping[str, Any]


@dataclass(frozen=True)
class CatalogueFile:
    """What was read: which column became which field, and how many rows were dropped for which reason."""

    items: list[Item]
    columns: dict[str, str]
    dropped: dict[str, int]

    def describe(self) -> str:
        """One line for the person: what was taken for what."""
        taken = ", ".join(f"{printable(column)} as {field}" for field, column in self.columns.items())
        lost = "".join(f", {count} dropped ({reason})" for reason, count in self.dropped.items())
        return f"{len(self.items)} items; columns taken: {taken}{lost}"


def read_catalogue(
    path: Path, domain: str = "other", columns: Mapping[str, str] | None = None
) -> CatalogueFile:
    """Read a catalogue file, or a folder of articles.

    A title is required of every row, an id is its row number where there is no column of ids. Text is data:
    control tokens and markup are kept as they stand.

    Args:
        path: .csv, .tsv, .jsonl (or .ndjson; .json with an object a line, or one array), .parquet, or a folder of .txt, .md
            and .html files (see `rectune.recommender.articles`).
        domain: what the items are, by the names that the prompts know (movies, books, …); any other reads as
            "item".
        columns: field (a key of `ITEM_NAMES`) -> column, where the guess would be another; "" takes none.

    Raises:
        UserError: no such file, another format, broken, an unknown column, without a column of titles, or without a single
            title.
    """
    reader = read_articles if path.is_dir() else _READERS.get(path.suffix.lower())
    if reader is None:
        raise UserError(
            f"unknown format {path.suffix or '(no ending)'!r}",
            where=str(path),
            hint=f"give one of: {', '.join(_READERS)}, or a folder of articles",
        )
    try:
        records = list(reader(path))
    except FileNotFoundError:
        raise UserError("no such file", where=str(path), hint="check the path given to --catalogue") from None
    except (OSError, ValueError, RecursionError, csv.Error) as broken:
        raise UserError(
            f"cannot be read: {broken}", where=str(path), hint="fix the file, or save it again"
        ) from None
    if not records:
        raise UserError("holds no rows", where=str(path), hint="give at least one row with a title")
    return _items(records, path, domain, columns or {})


def _items(records: list[Record], path: Path, domain: str, wanted: Mapping[str, str]) -> CatalogueFile:
    columns = _columns(list(dict.fromkeys(str(name) for record in records for name in record)), path, wanted)
    items: dict[str, Item] = {}
    dropped: dict[str, int] = {}
    for number, record in enumerate(records, 1):
        item = _item({field: record.get(column) for field, column in columns.items()}, number, domain)
        reason = "no title" if not item.title else "id seen before" if item.item_id in items else ""
        if reason:
            dropped[reason] = dropped.get(reason, 0) + 1
        else:
            items[item.item_id] = item
    if not items:
        raise UserError(
            f"no row has a title in column {columns['title']}", where=str(path), hint="fill that column"
        )
    return CatalogueFile(list(items.values()), columns, dropped)


def _columns(there: list[str], path: Path, wanted: Mapping[str, str]) -> dict[str, str]:
    """Field -> column, as wanted, else as guessed."""
    seen = ", ".join(map(printable, there[:20]))
    for field, column in wanted.items():
        if column and column not in there:
            near = difflib.get_close_matches(column, there, n=1)
            hint = f"did you mean {near[0]}? " if near else ""
            raise UserError(
                f"has no column {column!r} (for {field})", where=str(path), hint=f"{hint}columns: {seen}"
            )
    taken = {field: column for field, column in wanted.items() if column}
    unsaid = {field: names for field, names in ITEM_NAMES.items() if field not in wanted}
    columns = taken | guessed(unsaid, there, taken.values())
    if "title" not in columns:
        raise UserError(
            f"no column of titles among: {seen}",
            where=str(path),
            hint="name one of the columns `title`, or say which it is: --title-column NAME",
        )
    return {field: columns[field] for field in ITEM_NAMES if field in columns}


def _item(fields: Record, number: int, domain: str) -> Item:
    year = _YEAR.search(_text(fields.get("year")))
    return Item(
        domain,
        _text(fields.get("item_id")) or f"row {number}",
        _text(fields.get("title")),
        _list(fields.get("categories")),
        _text(fields.get("description")),
        int(year[1]) if year else None,
    )


def _text(value: Any) -> str:
    # Lone surrogates (possible in JSON escapes) are replaced: no table or tokenizer takes them.
    text = "" if value is None else str(value)
    return _SPACES.sub(" ", text.encode("utf-8", "replace").decode("utf-8")).strip()


def _list(value: Any) -> tuple[str, ...]:
    parts = value if isinstance(value, (list, tuple)) else _SEPARATORS.split(_text(value))
    return tuple(text for part in parts if (text := _text(part)))


def _read_csv(path: Path) -> Iterator[Record]:
    csv.field_size_limit(sys.maxsize)
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.DictReader(
            file, delimiter="\t" if path.suffix.lower() == ".tsv" else _delimiter(file.readline())
        )
        file.seek(0)
        for row in reader:
            yield {name: value for name, value in row.items() if name}


def _delimiter(header: str) -> str:
    return max(",;\t", key=header.count)


def _read_json(path: Path) -> Iterable[Record]:
    """One array of objects, or an object a line."""
    with path.open(encoding="utf-8-sig") as file:
        if not file.read(1024).lstrip().startswith("["):
            return _read_lines(path)
        file.seek(0)
        found = json.load(file)
    if not all(isinstance(record, dict) for record in found):
        raise ValueError("line 1: not a JSON object")
    return typing.cast(list[Record], found)


def _read_lines(path: Path) -> Iterator[Record]:
    with path.open(encoding="utf-8-sig") as file:
        for number, line in enumerate(file, 1):
            if not line.strip():
                continue
            try:
                record = json.loads(line)
            except ValueError as broken:
                raise ValueError(f"line {number}: {broken}") from None
            if not isinstance(record, dict):
                raise ValueError(f"line {number}: not a JSON object")
            yield record


def _read_parquet(path: Path) -> Iterable[Record]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        records: list[Record] = pq.read_table(path).to_pylist()
    except pa.ArrowInvalid as broken:
        raise ValueError(str(broken)) from None
    return records


_READERS: dict[str, Callable[[Path], Iterable[Record]]] = {
    ".csv": _read_csv,
    ".tsv": _read_csv,
    ".jsonl": _read_lines,
    ".ndjson": _read_lines,
    ".json": _read_json,
    ".parquet": _read_parquet,
}
