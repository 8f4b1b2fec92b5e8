"""Files that hold one record a line: JSON, or the Python literals that some publishers wrote in its place."""

from __future__ import annotations

import ast
import codecs
import gzip
import io
import itertools
import json
import math
import re
import typing
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from rectune.core.errors import UserError
from rectune.core.prefetch import prefetch
from rectune.datagen.datasets.raw import Drops, Faults, Sizes, item_frame

if typing.TYPE_CHECKING:
    import polars as pl

_BATCH = 100_000  # rows that become columns together
_ITEMS = 20_000  # items, whose texts are longer
_ARRAY = re.compile(rb"(?:\xef\xbb\xbf)?\s*\[\s*(?:[{\]]|$)")
_BETWEEN = re.compile(r"[\s,]*")
_AGAIN = "get the file again from its publisher"
_SIZES = Sizes()


def records(path: Path, drops: Drops, sizes: Sizes = _SIZES) -> Iterator[dict[str, Any]]:
    """The records of a file (plain or .gz), one mapping a line; malformed ones are skipped and counted.

    A file that is one JSON array gives its elements, and is not held whole either.

    Raises:
        UserError: the file cannot be read or breaks off, or more lines are malformed than `drops` allows.
    """
    faults, seen = Faults(path), 0
    found = _elements(path, faults, sizes) if _is_array(path) else _lines(path, faults, sizes)
    for record in found:
        seen += 1
        if record is not None:
            yield record
    faults.close(seen, drops)


def scan_scalars(
    path: Path, schema: Mapping[str, pl.DataType], drops: Drops, sizes: Sizes = _SIZES
) -> Iterator[pl.DataFrame]:
    """Top-level String, Int64 and Float64 fields of a file's records, in batches of columns; see `records`.

    Well-formed lines are parsed as columns. Where lines hold anything odd, these and their neighbours are
    parsed one at a time: there numbers in quotes are numbers, and what is no scalar is null.
    """
    if _is_array(path):
        yield from batches(_taken(records(path, drops, sizes), schema), schema)
    else:
        yield from _joined(_scanned(path, schema, drops, sizes), sizes.scanned)


def batches(
    rows: Iterable[tuple[Any, ...]], schema: Mapping[str, pl.DataType], size: int = _BATCH
) -> Iterator[pl.DataFrame]:
    """Rows as columns, `size` of them at a time, so that few exist as Python objects."""
    import polars as pl

    rows = iter(rows)
    while batch := list(itertools.islice(rows, size)):
        yield pl.DataFrame(batch, schema=schema, orient="row")


def columns(
    rows: Iterable[tuple[Any, ...]], schema: Mapping[str, pl.DataType], size: int = _BATCH
) -> pl.DataFrame:
    """All rows as columns; see `batches`."""
    import polars as pl

    return pl.concat([pl.DataFrame(schema=schema), *batches(rows, schema, size)])


def item_table(rows: Iterable[Mapping[str, Any]], size: int = _ITEMS) -> pl.DataFrame:
    """As `raw.item_frame`, for files of any length: `size` rows exist as Python objects at a time."""
    import polars as pl

    rows, parts = iter(rows), [item_frame(())]
    while batch := list(itertools.islice(rows, size)):
        parts.append(item_frame(batch))
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
    if isinstance(value, int) and not isinstance(value, bool):
        return value if -(2**63) <= value < 2**63 else None
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


def _scanned(
    path: Path, schema: Mapping[str, pl.DataType], drops: Drops, sizes: Sizes
) -> Iterator[pl.DataFrame]:
    import polars as pl

    faults, seen = Faults(path), 0
    for chunk in _read_ahead(path, sizes):
        try:
            yield pl.read_ndjson(chunk, schema=schema)
        except pl.exceptions.PolarsError:
            yield from _piecewise(_chunks(io.BytesIO(chunk), sizes.piece, sizes), seen, schema, faults)
        seen += _line_count(chunk)
    faults.close(seen, drops)


def _piecewise(
    pieces: Iterable[bytes], before: int, schema: Mapping[str, pl.DataType], faults: Faults
) -> Iterator[pl.DataFrame]:
    """The columns of the pieces of a chunk that holds odd lines; `before` lines of the file came before it."""
    import polars as pl

    for piece in pieces:
        try:
            yield pl.read_ndjson(piece, schema=schema)
        except pl.exceptions.PolarsError:
            found = _parsed(piece, before, faults)
            yield columns(_taken((record for record in found if record is not None), schema), schema)
        before += _line_count(piece)


def _taken(
    found: Iterable[dict[str, Any]], schema: Mapping[str, pl.DataType]
) -> Iterator[tuple[str | float | None, ...]]:
    """The schema's fields of each record, null where they are not of its types."""
    import polars as pl

    take: dict[pl.DataType, Callable[[Any], str | float | None]] = {
        pl.String(): text,
        pl.Float64(): number,
        pl.Int64(): whole,
    }
    takers = [(name, take[dtype]) for name, dtype in schema.items()]
    return (tuple(taker(record.get(name)) for name, taker in takers) for record in found)


def _joined(parts: Iterable[pl.DataFrame], least: int) -> Iterator[pl.DataFrame]:
    """Small frames as batches of at least so many rows; the last one may be smaller."""
    import polars as pl

    held: list[pl.DataFrame] = []
    for part in parts:
        held.append(part)
        if sum(frame.height for frame in held) >= least:
            yield pl.concat(held)
            held = []
    if held:
        yield pl.concat(held)


def _lines(path: Path, faults: Faults, sizes: Sizes) -> Iterator[dict[str, Any] | None]:
    seen = 0
    for chunk in _read_ahead(path, sizes):
        yield from _parsed(chunk, seen, faults)
        seen += _line_count(chunk)


def _parsed(chunk: bytes, before: int, faults: Faults) -> Iterator[dict[str, Any] | None]:
    """The record on each line of a chunk, None where the line is blank or malformed."""
    lines = chunk.removesuffix(b"\n").split(b"\n")
    return (_on_line(line, place, faults) for place, line in enumerate(lines, start=before + 1))


def _on_line(line: bytes, place: int, faults: Faults) -> dict[str, Any] | None:
    if not line.strip():
        return None
    try:
        value = parse(line.decode("utf-8-sig" if place == 1 else "utf-8", "replace"))
    except ValueError as broken:
        faults.add(place, str(broken))
        return None
    return _record(value, place, faults)


def _record(value: Any, place: int, faults: Faults) -> dict[str, Any] | None:
    if isinstance(value, dict):
        return value
    faults.add(place, "holds no record in braces")
    return None


def _elements(path: Path, faults: Faults, sizes: Sizes) -> Iterator[dict[str, Any] | None]:
    """The records in one JSON array; a chunk and the record at hand are held."""
    utf8, decode = codecs.getincrementaldecoder("utf-8-sig")("replace"), json.JSONDecoder().raw_decode
    with _opened(path) as stream:
        held = utf8.decode(stream.read(sizes.chunk))
        begin, place, line = 0, held.index("[") + 1, 1
        while True:
            place = typing.cast("re.Match[str]", _BETWEEN.match(held, place)).end()
            line, begin = line + held.count("\n", begin, place), place
            if held.startswith("]", place):
                break
            try:
                value, place = decode(held, place)
            except (ValueError, RecursionError):  # or the chunk ends here
                more = b"" if len(held) - place > sizes.longest else stream.read(max(sizes.chunk, len(held)))
                if not more:
                    raise _broken_array(path, line, "a JSON array breaks off or is malformed here") from None
                held, begin, place = held[place:] + utf8.decode(more), 0, 0
                continue
            yield _record(value, line, faults)
        if held[place + 1 :].strip() or stream.read(sizes.chunk).strip():
            raise _broken_array(path, line, "goes on after the end of its JSON array")


def _broken_array(path: Path, line: int, found: str) -> UserError:
    return UserError(found, where=f"{path}:{line}", hint=f"{_AGAIN}, or write one record a line")


def _is_array(path: Path) -> bool:
    with _opened(path) as stream:
        return bool(_ARRAY.match(stream.peek(_SIZES.piece)))


def _read_ahead(path: Path, sizes: Sizes) -> Iterator[bytes]:
    """The whole lines of a file, chunk by chunk; the next is read and unpacked while one is parsed."""
    with _opened(path) as stream:
        yield from prefetch(_chunks(stream, sizes.chunk, sizes))


def _chunks(stream: io.BufferedIOBase, size: int, sizes: Sizes) -> Iterator[bytes]:
    while chunk := stream.read(size):
        yield chunk + stream.readline(sizes.longest) if chunk[-1:] != b"\n" else chunk


def _line_count(chunk: bytes) -> int:
    return chunk.count(b"\n") + (not chunk.endswith(b"\n"))


@contextmanager
def _opened(path: Path) -> Iterator[gzip.GzipFile | io.BufferedReader]:
    """The bytes of a plain or gzipped file; errors of the file system and of gzip name the file."""
    try:
        if not path.stat().st_size:
            raise UserError("is empty", where=str(path), hint=_AGAIN)
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as stream:
            yield stream
    except (EOFError, zlib.error):
        found = "cannot be read to its end: it was cut off, or is damaged"
        raise UserError(found, where=str(path), hint=_AGAIN) from None
    except OSError as broken:
        raise UserError(f"cannot be read: {broken}", where=str(path), hint=_AGAIN) from None
