"""Reading and writing rows (frozen dataclasses) as Parquet, whole or in batches; writing is atomic."""

from __future__ import annotations

import types
import typing
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, fields, is_dataclass
from pathlib import Path
from typing import Any, TypeVar

from rectune.core.errors import UserError

if typing.TYPE_CHECKING:
    import pyarrow as pa

Row = TypeVar("Row")
_GROUP = 50_000  # rows a row group: their dictionaries and texts are in memory twice while they are written


def write_rows(path: Path, rows: Iterable[Row], kind: type[Row]) -> int:
    """Write rows of one dataclass as Parquet; returns the number of rows. The file is whole or absent."""
    rows = list(rows)
    starts = range(0, len(rows), _GROUP)
    return write_batches(path, kind, (batch_of(rows[start : start + _GROUP], kind) for start in starts))


def _column(rows: Sequence[Any], name: str) -> list[Any]:
    """One field of all rows; column by column is several times faster than a dictionary per row."""
    values = [getattr(row, name) for row in rows]
    return [asdict(value) for value in values] if values and is_dataclass(values[0]) else values


def read_rows(path: Path, kind: type[Row]) -> list[Row]:
    """Read rows written by `write_rows`.

    Raises:
        UserError: the file is missing, is no Parquet file, or holds another type or schema version.
    """
    with _opened(path, kind) as file:
        table = file.read()
    return [_build(kind, record) for record in table.to_pylist()]


def read_batches(path: Path, kind: type, size: int = 4096) -> Iterator[pa.RecordBatch]:
    """What `write_rows` wrote, in batches of at most `size` rows; raises what `read_rows` raises."""
    with _opened(path, kind) as file:
        yield from file.iter_batches(size)


def count_rows(path: Path, kind: type) -> int:
    """How many rows a file holds, from its footer; raises what `read_rows` raises."""
    with _opened(path, kind) as file:
        return int(file.metadata.num_rows)


def scan_rows(path: Path, kind: type[Row]) -> Iterator[Row]:
    """The rows one by one, for callers that may stop early; raises what `read_rows` raises."""
    for batch in read_batches(path, kind, 256):
        for record in batch.to_pylist():
            yield _build(kind, record)


def sample_rows(path: Path, kind: type[Row], count: int) -> list[Row]:
    """At most `count` rows, evenly spread over a file; raises what `read_rows` raises."""
    step = max(1, count_rows(path, kind) // count)
    found: list[Row] = []
    start = 0
    for batch in read_batches(path, kind):
        wanted = range(-start % step, batch.num_rows, step)
        found += [_build(kind, batch.slice(place, 1).to_pylist()[0]) for place in wanted]
        start += batch.num_rows
    return found[:count]


def write_batches(path: Path, kind: type, batches: Iterable[pa.RecordBatch]) -> int:
    """Write batches that `read_rows` can read; returns the number of rows. The file is whole or absent."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    schema, rows = arrow_schema(kind), 0
    partial = path.with_name(path.name + ".partial")
    with pq.ParquetWriter(partial, schema, compression="zstd") as file:
        for batch in batches:
            file.write_batch(pa.RecordBatch.from_arrays(batch.columns, schema=schema))
            rows += int(batch.num_rows)
    partial.replace(path)
    return rows


def batch_of(rows: Sequence[Row], kind: type[Row]) -> pa.RecordBatch:
    """Rows as columns."""
    import pyarrow as pa

    schema = arrow_schema(kind)
    return pa.RecordBatch.from_arrays(
        [pa.array(_column(rows, field.name), field.type) for field in schema], schema=schema
    )


@contextmanager
def _opened(path: Path, kind: type) -> Iterator[Any]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        file = pq.ParquetFile(path)
    except FileNotFoundError:
        raise UserError("no such file", where=str(path), hint="run the stage that makes it first") from None
    except pa.ArrowInvalid as broken:
        raise UserError(f"not a readable Parquet file ({broken})", where=str(path)) from None
    with file:
        found = (file.schema_arrow.metadata or {}).get(b"rectune", b"nothing").decode()
        if found != _signature(kind):
            raise UserError(
                f"holds {found}, wanted {_signature(kind)}", where=str(path), hint="run its stage again"
            )
        yield file


def arrow_schema(kind: type) -> pa.Schema:
    """The Arrow schema of a row dataclass, marked with its name and schema version."""
    import pyarrow as pa

    hints = typing.get_type_hints(kind)
    columns = [pa.field(f.name, _arrow_type(hints[f.name])) for f in fields(kind)]
    return pa.schema(columns, metadata={"rectune": _signature(kind)})


def _signature(kind: type) -> str:
    return f"{kind.__name__}/{getattr(kind, 'schema', 1)}"


def _arrow_type(hint: Any) -> pa.DataType:
    import pyarrow as pa

    plain: dict[Any, pa.DataType] = {str: pa.string(), int: pa.int64(), float: pa.float64(), bool: pa.bool_()}
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if hint in plain:
        return plain[hint]
    if origin is typing.Literal:
        return pa.string()
    if origin in (typing.Union, types.UnionType):
        return _arrow_type(next(a for a in arguments if a is not type(None)))
    if origin in (tuple, Sequence, list):
        return pa.list_(_arrow_type(arguments[0]))
    if is_dataclass(hint):
        return pa.struct(list(arrow_schema(typing.cast(type, hint))))
    raise TypeError(f"no Arrow type for {hint!r}")


def _build(kind: type[Row], record: dict[str, Any]) -> Row:
    hints = typing.get_type_hints(kind)
    values = {f.name: _value(hints[f.name], record[f.name]) for f in fields(kind)}  # type: ignore[arg-type]
    return kind(**values)


def _value(hint: Any, stored: Any) -> Any:
    if is_dataclass(hint):
        return _build(typing.cast(type, hint), stored)
    return tuple(stored) if isinstance(stored, list) else stored
