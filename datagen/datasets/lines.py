"""Files that hold one record a line: JSON, or the Python literals that some publishers wrote in its place."""

from __future__ import annotations

import ast
import gzip
import itertools
import json
import math
import typing
import zlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

from datagen.datasets.raw import Drops, Faults
from rectune.errors import UserError

if typing.TYPE_CHECKING:
    import polars as pl

_CHUNK = 16 << 20  # bytes of lines that are parsed together
_BATCH = 100_000  # rows that become columns together


def records(path: Path, drops: Drops) -> Iterator[dict[str, Any]]:
    """The records of a file (plain or .gz), one mapping a line; malformed ones are skipped and counted.

    Raises:
        UserError: the file cannot be read, or more than 1 % of its lines are malformed.
    """
    faults, seen = Faults(path), 0
    with _opened(path) as stream:
        for seen, line in enumerate(stream, start=1):
            record = _parsed(line, seen, faults)
            if record is not None:
                yield record
    faults.close(seen, drops)


def read_scalars(path: Path, schema: Mapping[str, pl.DataType], drops: Drops) -> pl.DataFrame:
    """Top-level String, Int64 and Float64 fields of a file's records as columns; see `records`.

    Well-formed chunks are parsed as columns. A chunk that holds anything odd is parsed again a line at a
    time, where numbers in quotes are still numbers and what is no scalar is null.
    """
    import polars as pl

    faults, seen, parts = Faults(path), 0, [pl.DataFrame(schema=schema)]
    with _opened(path) as stream:
        while lines := stream.readlines(_CHUNK):
            try:
                part = pl.read_ndjson(b"".join(lines), schema=schema)
            except pl.exceptions.PolarsError:
                part = _line_at_a_time(lines, seen, schema, faults)
            parts.append(part)
            seen += len(lines)
    faults.close(seen, drops)
    return pl.concat(parts)


def columns(rows: Iterable[tuple[Any, ...]], schema: Mapping[str, pl.DataType]) -> pl.DataFrame:
    """Rows as columns, in batches, so that few of them exist as Python objects at a time."""
    import polars as pl

    rows, parts = iter(rows), [pl.DataFrame(schema=schema)]
    while batch := list(itertools.islice(rows, _BATCH)):
        parts.append(pl.DataFrame(batch, schema=schema, orient="row"))
    return pl.concat(parts)


def text(value: Any) -> str | None:
    """A published scalar as text, lone surrogates (UTF-8 cannot hold them) as `?`; None for anything else."""
    if isinstance(value, str):
        return value if value.isascii() else value.encode("utf-8", "replace").decode("utf-8")
    return str(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else None


def number(value: Any) -> float | None:
    """A published number, or a number in quotes; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    try:
        found = float(value)
    except (ValueError, OverflowError):
        return None
    return found if math.isfinite(found) else None


def whole(value: Any) -> int | None:
    """A published number without its fraction; None for anything else, or beyond 64 bits."""
    found = number(value)
    return None if found is None or abs(found) >= 2**63 else int(found)


def texts(value: Any) -> list[str]:
    """A published list of texts, however it was written: nested, one text, a literal inside a text, null."""
    if isinstance(value, str) and value[:1] == "[":
        with suppress(ValueError):
            value = parse(value)
    if isinstance(value, list):
        parts = (texts(part) if isinstance(part, list) else [text(part)] for part in value)
        return [part for some in parts for part in some if part]
    single = text(value)
    return [single] if single else []


def parse(line: str) -> Any:
    """A JSON value or a Python literal; nothing is ever evaluated.

    Raises:
        ValueError: it is neither.
    """
    with suppress(ValueError, RecursionError):
        return json.loads(line)
    try:
        return ast.literal_eval(line.strip())
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        raise ValueError("neither JSON nor a Python literal") from None


def _parsed(line: bytes, place: int, faults: Faults) -> dict[str, Any] | None:
    if not line.strip():
        return None
    try:
        record = parse(line.decode("utf-8-sig" if place == 1 else "utf-8", "replace"))
    except ValueError as broken:
        faults.add(place, str(broken))
        return None
    if not isinstance(record, dict):
        faults.add(place, "holds no record in braces")
        return None
    return record


def _line_at_a_time(
    lines: list[bytes], before: int, schema: Mapping[str, pl.DataType], faults: Faults
) -> pl.DataFrame:
    import polars as pl

    take = {pl.String(): text, pl.Float64(): number, pl.Int64(): whole}
    takers = [(name, take[dtype]) for name, dtype in schema.items()]
    found = (_parsed(line, place, faults) for place, line in enumerate(lines, start=before + 1))
    rows = (
        tuple(taker(record.get(name)) for name, taker in takers) for record in found if record is not None
    )
    return columns(rows, schema)


@contextmanager
def _opened(path: Path) -> Iterator[IO[bytes]]:
    """The bytes of a plain or gzipped file; errors of the file system and of gzip name the file."""
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as stream:
            yield typing.cast(IO[bytes], stream)
    except (OSError, EOFError, zlib.error) as broken:
        mend = "get the file again from its publisher"
        raise UserError(f"cannot be read: {broken}", where=str(path), mend=mend) from None
