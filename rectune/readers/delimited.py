"""Comma-, tab- and otherwise separated files, read as columns, with malformed lines counted and located."""

from __future__ import annotations

import itertools
import re
import typing
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from rectune.core.errors import UserError
from rectune.core.prefetch import prefetch
from rectune.readers.delimited_columns import ONE_SIGN, DelimitedColumns
from rectune.readers.drops import Drops, Faults, Sizes
from rectune.readers.file_format import FileFormat, separator_of
from rectune.readers.stream import checked, line_chunks, open_utf8

if typing.TYPE_CHECKING:
    import polars as pl

_ESCAPED = re.compile(rb'\\(["\\]|\r?\n)')
_HEADER = 64 << 10  # bytes that hold a header

COMMAS = FileFormat(separator=",")
_SIZES = Sizes(chunk=16 << 20)  # about a million ratings


def read_delimited(
    path: Path,
    schema: Mapping[str, pl.DataType],
    required: Sequence[str],
    drops: Drops,
    written: FileFormat = COMMAS,
    sizes: Sizes = _SIZES,
) -> pl.DataFrame:
    """Some columns of a delimited file, in the file's order; see `scan_delimited`."""
    import polars as pl

    return pl.concat(
        [pl.DataFrame(schema=schema), *scan_delimited(path, schema, required, drops, written, sizes)]
    )


def scan_delimited(
    path: Path,
    schema: Mapping[str, pl.DataType],
    required: Sequence[str],
    drops: Drops,
    written: FileFormat = COMMAS,
    sizes: Sizes = _SIZES,
) -> Iterator[pl.DataFrame]:
    """Some columns of a delimited file (plain or gzipped) in batches, in the file's order, in bounded memory.

    A line is malformed when it has fewer or more fields than there are columns, lacks a `required` value,
    holds a value of another type than the schema's (a number that is not finite too), opens a quote that does
    not close, or holds bytes that are not UTF-8 where other lines are. Malformed lines are left out and
    counted in `drops` when the file was read to its end; blank ones are left out. In the format `tsv` a quote
    that closes no field is data.

    Raises:
        UserError: the file cannot be read, is in another encoding, lacks a column, or more of its lines are
            malformed than may be.
    """
    faults, seen, line, rest, ended = Faults(path), 0, 1, b"", True
    with open_utf8(path, written) as stream:
        if not written.separator:
            written = replace(written, separator=detected(stream.peek(_HEADER), written))
        table = DelimitedColumns(path, schema, required, written)
        for chunk in itertools.chain(prefetch(line_chunks(stream, sizes.chunk, sizes, str(path))), [b""]):
            ended = chunk.endswith(b"\n") if chunk else ended
            sound, bad = checked(chunk, written, path, line + rest.count(b"\n"))
            text = rest + _plain(sound, written)
            if not table.names:
                text, line = table.take_header(text)
            records, frame = table.parsed(text, last=not chunk, bad=bad)
            for place, why, count in table.faults(records, frame):
                faults.add(line + place, why, count)
            seen, line, rest = seen + records.number, line + records.lines, records.rest
            if frame.height:
                yield table.usable(frame)
    faults.close(seen, drops)
    if not ended:
        drops.note(f"{path.name}:{line - 1}: the last line has no end; if the file was cut off, get it again")


def detected(head: bytes, written: FileFormat) -> str:
    """The separator of a file, by its beginning in UTF-8."""
    if written.format == "tsv":
        return "\t"
    return separator_of(head.partition(b"\n")[0].decode("utf-8", "replace"))


def header_of(path: Path, written: FileFormat) -> tuple[list[str], str]:
    """The names of the columns and what parts fields.

    Raises:
        UserError: the file cannot be read, or two columns bear one name.
    """
    with open_utf8(path, written) as stream:
        head = next(line_chunks(stream, _HEADER, Sizes(), str(path)))
    line = head.partition(b"\n")[0]
    checked(line, written, path, 1)
    separator = written.separator or detected(head, written)
    if written.columns:
        names = list(written.columns)
    else:
        table = DelimitedColumns(path, {}, (), replace(written, separator=separator))
        table.take_header(_plain(checked(head, written, path, 1)[0], table.written))
        names = table.names
    if repeated := [name for at, name in enumerate(names) if name and name in names[:at]]:
        raise UserError(
            f"has two columns {repeated[0]}", where=f"{path}:1", hint="give every column a name of its own"
        )
    return names, separator


def _plain(chunk: bytes, written: FileFormat) -> bytes:
    """Line for line the same with quotes doubled in place of escapes and a separator of one character."""
    if written.escaped and b"\\" in chunk:
        chunk = _ESCAPED.sub(lambda match: b'""' if match[1] == b'"' else match[1], chunk)
    if len(written.separator.encode()) > 1:
        chunk = chunk.replace(written.separator.encode(), ONE_SIGN.encode())
    return chunk
