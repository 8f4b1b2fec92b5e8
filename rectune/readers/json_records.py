"""Files that hold one record a line: JSON, or the Python literals that some publishers wrote in its place; or
one array.
"""

from __future__ import annotations

import io
import itertools
import re
import typing
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from rectune.core.prefetch import prefetch
from rectune.readers.cells import number, parse, text, whole
from rectune.readers.drops import Drops, Faults, Sizes
from rectune.readers.file_format import FileFormat
from rectune.readers.json_array import array_values
from rectune.readers.raw import item_frame
from rectune.readers.stream import checked, line_chunks, open_utf8
from rectune.readers.strict_json import RepeatedKey, StrictJson

if typing.TYPE_CHECKING:
    import polars as pl

_BATCH = 100_000  # rows that become columns together
_SAMPLE = 100  # lines of a large chunk that are looked at for keys that stand there twice
_ITEMS = 20_000  # items, whose texts are longer
_ARRAY = re.compile(rb"\s*\[\s*(?:[{\]]|$)")
_SIZES = Sizes()
_UTF8 = FileFormat()


def records(
    path: Path, drops: Drops, sizes: Sizes = _SIZES, written: FileFormat = _UTF8
) -> Iterator[dict[str, Any]]:
    """The records of a file (plain or gzipped), one mapping a line; malformed ones are skipped and counted.

    A file that is one JSON array gives its elements, and is not held whole either.

    Raises:
        UserError: the file cannot be read, breaks off or is in another encoding, or more lines are malformed
            than `drops` allows.
    """
    faults, seen = Faults(path), 0
    with open_utf8(path, written) as stream:
        array = _is_array(stream)
        found = (
            _elements(stream, path, faults, sizes) if array else _lines(stream, path, faults, sizes, written)
        )
        for record in found:
            seen += 1
            if record is not None:
                yield record
    faults.close(seen, drops)


def scan_scalars(
    path: Path,
    schema: Mapping[str, pl.DataType],
    drops: Drops,
    sizes: Sizes = _SIZES,
    written: FileFormat = _UTF8,
) -> Iterator[pl.DataFrame]:
    """Top-level String, Int64 and Float64 fields of a file's records, in batches of columns; see `records`.

    Well-formed lines are parsed as columns. Where lines hold anything odd, these and their neighbours are
    parsed one at a time: there numbers in quotes are numbers, and what is of no such kind is null. Keys that
    stand twice in one object are looked for in a sample of the lines, from the first such line on in all.
    """
    with open_utf8(path, written) as stream:
        array = _is_array(stream)
    if array:
        yield from batches(_taken(records(path, drops, sizes, written), schema), schema)
    else:
        yield from _joined(_scanned(path, schema, drops, sizes, written), sizes.scanned)


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


def _scanned(
    path: Path, schema: Mapping[str, pl.DataType], drops: Drops, sizes: Sizes, written: FileFormat
) -> Iterator[pl.DataFrame]:
    import polars as pl

    faults, seen, repeats = Faults(path), 0, False
    with open_utf8(path, written) as stream:
        for chunk in prefetch(line_chunks(stream, sizes.chunk, sizes, str(path))):
            sound, bad = checked(chunk, written, path, seen + 1)
            repeats = repeats or _repeats_a_key(chunk)  # then every line from here on is looked at
            try:
                if bad or repeats:
                    raise pl.exceptions.PolarsError
                yield pl.read_ndjson(sound, schema=schema)
            except pl.exceptions.PolarsError:
                pieces = line_chunks(_buffered(chunk), sizes.piece, sizes, str(path))
                yield from _piecewise(pieces, seen, schema, faults, every=repeats)
            seen += _line_count(chunk)
    faults.close(seen, drops)


def _buffered(chunk: bytes) -> io.BufferedReader:
    return typing.cast(io.BufferedReader, io.BytesIO(chunk))


def _piecewise(
    pieces: Iterable[bytes], before: int, schema: Mapping[str, pl.DataType], faults: Faults, every: bool
) -> Iterator[pl.DataFrame]:
    """The columns of the pieces of a chunk that holds odd lines; `before` lines of the file came before.

    Args:
        every: whether every piece is parsed line by line, and not only those that cannot be read as columns.
    """
    import polars as pl

    for piece in pieces:
        try:
            if every:
                raise pl.exceptions.PolarsError
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


def _lines(
    stream: io.BufferedReader, path: Path, faults: Faults, sizes: Sizes, written: FileFormat
) -> Iterator[dict[str, Any] | None]:
    seen = 0
    for chunk in prefetch(line_chunks(stream, sizes.chunk, sizes, str(path))):
        checked(chunk, written, path, seen + 1)
        yield from _parsed(chunk, seen, faults)
        seen += _line_count(chunk)


def _parsed(chunk: bytes, before: int, faults: Faults) -> Iterator[dict[str, Any] | None]:
    """The record on each line of a chunk, None where the line is blank or malformed."""
    lines, strict = chunk.removesuffix(b"\n").split(b"\n"), StrictJson()
    return (_on_line(line, place, faults, strict) for place, line in enumerate(lines, start=before + 1))


def _on_line(line: bytes, place: int, faults: Faults, strict: StrictJson) -> dict[str, Any] | None:
    if not line.strip():
        return None
    try:
        value = _value(line.decode(), strict)
    except UnicodeDecodeError:
        faults.add(place, "is not UTF-8")
        return None
    except ValueError as broken:
        faults.add(place, str(broken))
        return None
    return _record(value, place, faults)


def _value(line: str, strict: StrictJson) -> Any:
    """A JSON value or a Python literal.

    Raises:
        ValueError: it is neither.
    """
    with suppress(ValueError, RecursionError):
        return strict.decode(line)
    return parse(line)


def _record(value: Any, place: int, faults: Faults) -> dict[str, Any] | None:
    if isinstance(value, dict):
        return value
    faults.add(place, value.fault if isinstance(value, RepeatedKey) else "holds no record in braces")
    return None


def _sampled(chunk: bytes) -> Iterator[bytes]:
    """Lines of a chunk: all of a small one, else the first and those behind places that are evenly spread."""
    if len(chunk) <= _SIZES.piece:
        yield from chunk.split(b"\n")
        return
    for at in range(_SAMPLE):
        begin = chunk.find(b"\n", len(chunk) * at // _SAMPLE) + 1 if at else 0
        end = chunk.find(b"\n", begin)
        yield chunk[begin : end if end >= 0 else len(chunk)]


def _repeats_a_key(chunk: bytes) -> bool:
    """Whether a sample of a chunk's lines holds one with a key twice in one object.

    What reads whole columns takes the first of both without a word, and checking every line would take longer
    than reading it.
    """
    strict = StrictJson()
    for line in _sampled(chunk):
        with suppress(ValueError, RecursionError):  # which reading finds
            if isinstance(strict.decode(line.decode()), RepeatedKey):
                return True
    return False


def _elements(
    stream: io.BufferedReader, path: Path, faults: Faults, sizes: Sizes
) -> Iterator[dict[str, Any] | None]:
    """The records in one JSON array."""
    for line, value in array_values(stream, str(path), 1, sizes.longest, sizes.chunk):
        yield _record(value, line, faults)


def _is_array(stream: io.BufferedReader) -> bool:
    return bool(_ARRAY.match(stream.peek(_SIZES.piece)))


def _line_count(chunk: bytes) -> int:
    return chunk.count(b"\n") + (not chunk.endswith(b"\n"))
