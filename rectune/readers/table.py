"""One face for tables in CSV, TSV, JSON lines, JSON and Parquet, each also gzipped."""

from __future__ import annotations

import itertools
import json
import shutil
import tempfile
import typing
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from rectune.core.errors import UserError, first_line
from rectune.readers.cells import identity, text
from rectune.readers.delimited import header_of, scan_delimited
from rectune.readers.drops import Drops
from rectune.readers.file_format import FileFormat
from rectune.readers.json_records import records, scan_scalars
from rectune.readers.stream import open_bytes, open_utf8, readable
from rectune.readers.strict_json import RepeatedKey, StrictJson

if typing.TYPE_CHECKING:
    import polars as pl

_SAMPLED = 1000  # records that are looked at for the names of columns
_BATCH = 1 << 20  # rows
_EXACT = 2**53  # above it a float does not hold every whole number


def columns(path: Path, written: FileFormat) -> list[str]:
    """The names of a table's columns, without white space around them; of JSON those of its first thousand
    records.

    Raises:
        UserError: the format is unknown, the file is broken, empty or in another encoding, or two columns
            bear one name.
    """
    return list(_columns(path, written.of(path)))


def rows(
    path: Path, names: Sequence[str], drops: Drops, written: FileFormat, needed: Sequence[str] = ()
) -> Iterator[dict[str, Any]]:
    """Some columns of a table, a mapping a row, in the file's order."""
    import polars as pl

    written = written.of(path)
    actual = _columns(path, written)
    if written.format in ("jsonl", "json"):
        for record in records(path, drops, written=written):
            yield {name: record.get(actual.get(name, name)) for name in names}
    elif written.format == "parquet":
        for batch in _parquet_batches(path, [actual[name] for name in names]):
            yield from batch.select(pl.col(actual[name]).alias(name) for name in names).iter_rows(named=True)
    else:
        schema = {name: pl.String() for name in names}
        for batch in scan_delimited(path, schema, needed, drops, written):
            yield from batch.iter_rows(named=True)


def batches(
    path: Path, schema: Mapping[str, pl.DataType], needed: Sequence[str], drops: Drops, written: FileFormat
) -> Iterator[pl.DataFrame]:
    """Some columns of a table in batches, of the schema's types but where Parquet holds times: those stay
    times.

    Of JSON all columns are text.
    """
    import polars as pl

    written = written.of(path)
    actual = _columns(path, written)
    if written.format in ("jsonl", "json"):
        texts = {actual.get(name, name): pl.String() for name in schema}
        for batch in scan_scalars(path, texts, drops, written=written):
            yield batch.select(_opened(batch[actual.get(name, name)]).alias(name) for name in schema)
    elif written.format == "parquet":
        for batch in _parquet_batches(path, [actual[name] for name in schema]):
            yield batch.select(
                _typed(batch[actual[name]], dtype, path).alias(name) for name, dtype in schema.items()
            )
    else:
        yield from scan_delimited(path, schema, needed, drops, written)


def _columns(path: Path, written: FileFormat) -> dict[str, str]:
    """Name without white space around it -> name in the file."""
    if written.format in ("csv", "tsv"):
        names, _ = header_of(path, written)
        if not any(names):
            raise UserError(
                "has no columns", where=f"{path}:1", hint="its first line has to name the columns"
            )
        return {name: name for name in names}
    found = _json_names(path, written) if written.format in ("jsonl", "json") else _parquet_names(path)
    bare = [name.strip() for name in found]
    if repeated := [name for at, name in enumerate(bare) if name in bare[:at]]:
        raise UserError(
            f"has two columns {repeated[0]}", where=str(path), hint="give every column a name of its own"
        )
    return dict(zip(bare, found, strict=True))


def _json_names(path: Path, written: FileFormat) -> list[str]:
    _refuse_repeated_key(path, written)
    sample = itertools.islice(records(path, Drops(malformed_limit=1.0), written=written), _SAMPLED)
    names = list(dict.fromkeys(name for record in sample for name in record))
    if not names:
        raise UserError("holds no record", where=str(path), hint="give at least one line with an object")
    return [str(name) for name in names]


def _refuse_repeated_key(path: Path, written: FileFormat) -> None:
    """Refuse a file whose first line has a key twice, as all of them will; later such lines are malformed."""
    with open_utf8(path, written) as stream, suppress(ValueError, RecursionError):
        first = StrictJson().decode(stream.readline(1 << 20).decode())
        if isinstance(first, RepeatedKey):
            raise UserError(first.fault, where=f"{path}:1", hint="give every key a name of its own")


def _parquet_names(path: Path) -> list[str]:
    with _parquet(path) as file:
        return [str(name) for name in file.schema_arrow.names]


@contextmanager
def _parquet(path: Path) -> Iterator[Any]:
    """The file, of a gzipped one a copy without that."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    with open_bytes(path) as stream, tempfile.TemporaryFile() as copied, readable(str(path)):
        packed = path.open("rb").read(2) == b"\x1f\x8b"
        if packed:
            shutil.copyfileobj(stream, copied)
        try:
            yield pq.ParquetFile(copied if packed else path)
        except (pa.ArrowException, OSError) as broken:
            found = f"cannot be read as Parquet: {first_line(broken)}"
            raise UserError(found, where=str(path), hint="write the file again") from None


def _parquet_batches(path: Path, names: Sequence[str]) -> Iterator[pl.DataFrame]:
    import polars as pl
    import pyarrow as pa

    with _parquet(path) as file:
        for batch in file.iter_batches(batch_size=_BATCH, columns=list(names)):
            table = pa.Table.from_batches([batch])
            try:
                yield typing.cast("pl.DataFrame", pl.from_arrow(table))
            except (pl.exceptions.PolarsError, NotImplementedError) as broken:
                found = f"holds a column of a type that is not read: {first_line(broken)}"
                raise UserError(found, where=str(path), hint="write such columns as text") from None


def _typed(column: pl.Series, dtype: pl.DataType, path: Path) -> pl.Series:
    """Numbers as text have no fraction where they are whole; what has another type than is wanted is null."""
    import polars as pl

    if column.dtype.is_temporal() and dtype == pl.String():
        return column
    if column.dtype.is_float():
        column = pl.select(pl.when(column.is_finite()).then(column)).to_series().alias(column.name)
    if dtype == pl.String() and column.dtype.is_float():
        if (column.abs() >= _EXACT).any():
            raise UserError(
                f"the column {column.name} holds ids as numbers of more digits than they keep",
                where=str(path),
                hint="write ids as text or as whole numbers",
            )
        if bool((column.drop_nulls() % 1 == 0).all()):
            column = column.cast(pl.Int64, strict=False)
    if column.dtype.is_nested() or column.dtype == pl.Binary():
        return pl.Series(column.name, [identity(value) for value in column], dtype=pl.String)
    if column.dtype == pl.String() and dtype != pl.String():
        return column
    with suppress(pl.exceptions.PolarsError):
        return column.cast(dtype, strict=False)
    return pl.Series(column.name, [None] * len(column), dtype=dtype)


def _opened(column: pl.Series) -> pl.Series:
    """What an object within a record stands for (`{"$oid": …}`, a name), which is read as its JSON here."""
    import polars as pl

    objects = column.str.contains(r"^[\[{]").fill_null(False)
    if not objects.any():
        return column
    return pl.Series(
        column.name,
        [text(_loaded(value)) if odd else value for value, odd in zip(column, objects, strict=True)],
        dtype=pl.String,
    )


def _loaded(spelt: str) -> Any:
    try:
        return json.loads(spelt)
    except (ValueError, RecursionError):
        return spelt
