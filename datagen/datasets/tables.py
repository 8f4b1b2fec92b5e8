"""One face for tables in CSV, TSV, JSON lines (each also .gz) and Parquet."""

from __future__ import annotations

import csv
import gzip
import itertools
import typing
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from rectune.core.errors import UserError
from rectune.datagen.datasets.delimited import Dialect, read_delimited, scan_delimited
from rectune.datagen.datasets.lines import records, scan_scalars
from rectune.datagen.datasets.raw import Drops

if typing.TYPE_CHECKING:
    import polars as pl

_FORMATS = {
    ".csv": "csv", ".tsv": "csv", ".txt": "csv",
    ".jsonl": "lines", ".ndjson": "lines", ".json": "lines",
    ".parquet": "parquet",
}  # fmt: skip
_SAMPLED = 1000  # records that are looked at for the names of columns
_BATCH = 1 << 20  # rows


def columns(path: Path) -> list[str]:
    """The names of a table's columns; of JSON lines those that its first thousand records have.

    Raises:
        UserError: the format is unknown, or the file is broken, empty or not UTF-8.
    """
    how = _format(path)
    if how == "parquet":
        return list(_parquet(path).schema_arrow.names)
    if how == "csv":
        return _header(path)[0]
    sample = itertools.islice(records(path, Drops(malformed_limit=1.0)), _SAMPLED)
    names = list(dict.fromkeys(name for record in sample for name in record))
    if not names:
        raise UserError("holds no record", where=str(path), hint="give at least one line with an object")
    return names


def rows(path: Path, names: Sequence[str], needed: Sequence[str], drops: Drops) -> Iterator[dict[str, Any]]:
    """Some columns of a table, a mapping a row; for tables of items, which fit into memory."""
    import polars as pl

    how = _format(path)
    if how == "lines":
        yield from records(path, drops)
    elif how == "csv":
        schema = {name: pl.String() for name in names}
        yield from read_delimited(path, schema, needed, drops, _dialect(path)).iter_rows(named=True)
    else:
        for batch in _parquet_batches(path, names):
            yield from batch.iter_rows(named=True)


def batches(
    path: Path, schema: Mapping[str, pl.DataType], needed: Sequence[str], drops: Drops
) -> Iterator[pl.DataFrame]:
    """Some columns of a table in batches, of the schema's types but where Parquet holds times: those stay times."""
    how = _format(path)
    if how == "csv":
        yield from scan_delimited(path, schema, needed, drops, _dialect(path))
    elif how == "lines":
        yield from scan_scalars(path, schema, drops)
    else:
        for batch in _parquet_batches(path, list(schema)):
            yield batch.select(_typed(batch[name], dtype) for name, dtype in schema.items())


def _format(path: Path) -> str:
    ending = Path(path.stem).suffix if path.suffix == ".gz" else path.suffix
    how = _FORMATS.get(ending.lower())
    if how is None or (how == "parquet" and path.suffix == ".gz"):
        found = f"unknown format {path.suffix or '(no ending)'!r}"
        raise UserError(
            found, where=str(path), hint=f"one of: {', '.join(_FORMATS)}; all but Parquet also .gz"
        )
    return how


def _dialect(path: Path) -> Dialect:
    return Dialect(_header(path)[1])


def _header(path: Path) -> tuple[list[str], str]:
    """The names in the first line, and what parts them: whichever of tab, comma, semicolon and bar is there most."""
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as stream:
            line = stream.readline().decode("utf-8-sig")
    except UnicodeDecodeError:
        raise UserError("is not UTF-8", where=f"{path}:1", hint="save it as UTF-8") from None
    except (OSError, EOFError, zlib.error) as broken:
        raise UserError(
            f"cannot be read: {broken}", where=str(path), hint="fix the file, or save it again"
        ) from None
    separator = max("\t,;|", key=line.count)
    names = next(csv.reader([line.rstrip("\r\n")], delimiter=separator), [])
    if not names:
        raise UserError("is empty", where=str(path), hint="its first line has to name the columns")
    return names, separator


def _parquet(path: Path) -> Any:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return pq.ParquetFile(path)
    except (pa.ArrowException, OSError) as broken:
        raise UserError(f"cannot be read: {broken}", where=str(path), hint="write the file again") from None


def _parquet_batches(path: Path, names: Sequence[str]) -> Iterator[pl.DataFrame]:
    import polars as pl
    import pyarrow as pa

    try:
        for batch in _parquet(path).iter_batches(batch_size=_BATCH, columns=list(names)):
            yield typing.cast("pl.DataFrame", pl.from_arrow(pa.Table.from_batches([batch])))
    except (pa.ArrowException, OSError) as broken:
        raise UserError(f"cannot be read: {broken}", where=str(path), hint="write the file again") from None


def _typed(column: pl.Series, dtype: pl.DataType) -> pl.Series:
    """Numbers as text have no fraction where they are whole; what has another type than is wanted is null."""
    import polars as pl

    if dtype == pl.String() and column.dtype.is_temporal():
        return column
    if dtype == pl.String() and column.dtype.is_float() and bool((column.drop_nulls() % 1 == 0).all()):
        column = column.cast(pl.Int64, strict=False)
    with suppress(pl.exceptions.PolarsError):
        return column.cast(dtype, strict=False)
    return pl.Series(column.name, [None] * len(column), dtype=dtype)
