"""One column of texts out of a file or a pipe, streamed, gzipped or not; what is malformed is an error at
once.
"""

from __future__ import annotations

import csv
import gzip
import io
import itertools
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rectune.core.errors import UserError
from rectune.core.text.plain import printable
from rectune.readers.columns import shown
from rectune.readers.file_format import ENDINGS, ending_of, separator_of
from rectune.readers.json_array import (
    LONGEST,
    Record,
    array_elements,
    decoded_lines,
    kind_of,
    objects_on_lines,
)
from rectune.readers.stream import readable, refuse_strange

FORMATS = ("jsonl", "json", "csv", "tsv", "parquet")
_KINDS = {"csv": "csv", "tsv": "csv", "jsonl": "json", "json": "json", "parquet": "parquet"}
_LIKELY = ("response", "text")  # the column, unless another is asked for
_LOOK = 100  # records that are looked at to find the columns of text
_ROWS = 4096  # of a Parquet file, at a time
_BLANK = b" \t\r\n"


@dataclass(frozen=True)
class _Input:
    """Bytes to read, what people call them, and the column asked for (empty: find it)."""

    stream: io.BufferedReader
    where: str
    column: str


@contextmanager
def open_texts(file: Path, column: str = "", kind: str = "") -> Iterator[Iterator[str]]:
    """The texts of a column in the file's order, "" where there is none; lone surrogates (from JSON) become
    `?`.

    Blank lines are skipped, but for a CSV file of one column, where they are empty texts. A file without a
    byte holds no texts in any format.

    Args:
        file: `-` reads standard input.
        column: the column's name; else `response`, `text`, or the only column of text.
        kind: one of `FORMATS` (`json` and `jsonl` tell lines from an array by themselves); else by the file's
            ending, or by the first bytes of standard input.

    Raises:
        UserError: at once or while the texts are read: no such file, format or column, or a malformed line.
    """
    if kind and kind not in FORMATS:
        raise UserError(f"unknown format {kind}", where="--format", hint=f"give one of: {', '.join(FORMATS)}")
    where = "standard input" if str(file) == "-" else str(file)
    with ExitStack() as stack:
        with readable(where):
            stream = _opened(file, stack)
            reader = _READERS[_kind(file, kind, stream)]
            texts = reader(_Input(stream, where, column), stack) if stream.peek(1) else iter(())
            # What is wrong with the first records is said before anything is made of the texts.
            head = list(itertools.islice(texts, 1))
        yield _guarded(itertools.chain(head, texts), where)


def _opened(file: Path, stack: ExitStack) -> io.BufferedReader:
    raw: Any = sys.stdin.buffer if str(file) == "-" else stack.enter_context(file.open("rb"))
    stream = raw if isinstance(raw, io.BufferedReader) else io.BufferedReader(raw)
    if stream.peek(2)[:2] == b"\x1f\x8b":
        unpacked: Any = stack.enter_context(gzip.GzipFile(fileobj=stream))
        stream = io.BufferedReader(unpacked)
    if head := stream.peek(512)[:512]:
        refuse_strange(head, "standard input" if str(file) == "-" else str(file))
    return stream


def _kind(file: Path, asked: str, stream: io.BufferedReader) -> str:
    """The reader's name; standard input without a format is known by its first bytes."""
    if asked:
        return _KINDS[asked]
    if str(file) == "-":
        first = stream.peek(4).lstrip(b"\xef\xbb\xbf" + _BLANK)
        return "parquet" if first[:4] == b"PAR1" else "json" if first[:1] in (b"{", b"[") else "csv"
    ending = ending_of(file)
    if ending not in ENDINGS:
        found = f"the name ends in {ending}" if ending else "the name has no ending"
        raise UserError(
            f"unknown kind of file: {found}", where=str(file), hint=f"give --format {'|'.join(FORMATS)}"
        )
    return _KINDS[ENDINGS[ending]]


def _guarded(texts: Iterable[str], where: str) -> Iterator[str]:
    with readable(where):
        yield from texts


def _from_json(given: _Input, stack: ExitStack) -> Iterator[str]:
    line = _skip_blank(given.stream)
    array = given.stream.peek(1)[:1] == b"["
    records = (array_elements if array else objects_on_lines)(given.stream, given.where, line)
    head = list(itertools.islice(records, _LOOK))
    return _column_of(itertools.chain(head, records), given, [record for _, record in head])


def _skip_blank(stream: io.BufferedReader) -> int:
    """Go past a byte order mark and blank lines; gives the number of the line that follows."""
    line = 1
    if stream.peek(3)[:3] == b"\xef\xbb\xbf":
        stream.read(3)
    while (byte := stream.peek(1)[:1]) and byte in _BLANK:
        line += stream.read(1) == b"\n"
    return line


def _column_of(records: Iterable[Record], given: _Input, head: Sequence[dict[str, Any]]) -> Iterator[str]:
    names = list(dict.fromkeys(name for record in head for name in record))
    texts = [name for name in names if any(isinstance(record.get(name), str) for record in head)]
    column = given.column or (_chosen(names, texts, given) if head else "")
    for line, record in records:
        value = record.get(column, records)  # a value that no record holds
        if isinstance(value, str):
            yield value if value.isascii() else value.encode("utf-8", "replace").decode("utf-8")
        elif value is None:
            yield ""
        else:
            found = f"has no {printable(column)}, only {shown(record)}"
            raise UserError(
                found if value is records else f"its {printable(column)} is no text but {kind_of(value)}",
                where=f"{given.where}:{line}",
                hint="name the column of texts with --column",
            )


def _chosen(names: Sequence[str], texts: Sequence[str], given: _Input) -> str:
    """The column to read: the one asked for, a likely one, or the only column of text."""
    if given.column in names:
        return given.column
    likely = [name for name in _LIKELY if name in names] or (texts if len(texts) == 1 else [])
    if likely and not given.column:
        return likely[0]
    found = f"has {len(texts) or 'no'} columns of text"
    if given.column:
        found = f"has no column of text {printable(given.column)}"
    raise UserError(found, where=given.where, hint=f"name one with --column: {shown(names)}")


def _from_csv(given: _Input, stack: ExitStack) -> Iterator[str]:
    lines = decoded_lines(given.stream, given.where)
    header = next(lines).removeprefix("\ufeff")
    csv.field_size_limit(LONGEST)
    separator = separator_of(header)
    rows = csv.reader(itertools.chain([header], lines), delimiter=separator, strict=True)
    records = _csv_rows(rows, given.where)
    _, names = next(records)
    if repeated := [name for at, name in enumerate(names) if name and name in names[:at]]:
        raise UserError(f"has two columns {printable(repeated[0])}", where=f"{given.where}:1",
                        hint="give every column a name of its own")  # fmt: skip
    head = list(itertools.islice(records, _LOOK))
    texts = [name for place, name in enumerate(names) if any(_is_text(row, place) for _, row in head)]
    column = _chosen(names, texts or names, given)
    return _csv_column(itertools.chain(head, records), names, names.index(column), given.where)


def _csv_rows(rows: Any, where: str) -> Iterator[tuple[int, list[str]]]:
    """Rows and the lines that they end on."""
    while True:
        try:
            row = next(rows, None)
        except csv.Error as broken:
            hint = "put texts that hold separators, quotes or line ends into quotes, and double their own"
            raise UserError(f"malformed CSV: {broken}", where=f"{where}:{rows.line_num}", hint=hint) from None
        if row is None:
            return
        yield rows.line_num, row


def _is_text(row: Sequence[str], place: int) -> bool:
    if place >= len(row) or not row[place].strip():
        return False
    try:
        float(row[place])
    except ValueError:
        return True
    return False


def _csv_column(
    rows: Iterable[tuple[int, list[str]]], names: Sequence[str], place: int, where: str
) -> Iterator[str]:
    for line, row in rows:
        if not row and len(names) > 1:
            continue
        if row and len(row) != len(names):
            found = f"has {len(row)} fields, the header {len(names)}"
            raise UserError(found, where=f"{where}:{line}", hint="put texts that hold separators into quotes")
        yield row[place] if row else ""


def _from_parquet(given: _Input, stack: ExitStack) -> Iterator[str]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    stream: Any = given.stream
    try:
        if (
            not isinstance(stream.raw, io.FileIO) or not stream.seekable()
        ):  # its table of contents is at the end
            stream = _spooled(stream, stack)
        file = pq.ParquetFile(stream, pre_buffer=False, buffer_size=1 << 20)
        texts = [field.name for field in file.schema_arrow if _is_string(field.type)]
        column = _chosen(texts, texts, given)
    except pa.ArrowException as broken:
        raise UserError(f"cannot be read: {broken}", where=given.where) from None
    return _parquet_column(file, column, given.where)


def _spooled(stream: io.BufferedReader, stack: ExitStack) -> Any:
    """The same bytes in a temporary file, closed with the stack."""
    copied = tempfile.TemporaryFile()  # noqa: SIM115
    stack.callback(copied.close)
    shutil.copyfileobj(stream, copied)
    return copied


def _is_string(kind: Any) -> bool:
    import pyarrow as pa

    kind = kind.value_type if pa.types.is_dictionary(kind) else kind
    return any(test(kind) for test in (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view))


def _parquet_column(file: Any, column: str, where: str) -> Iterator[str]:
    import pyarrow as pa

    try:
        for batch in file.iter_batches(batch_size=_ROWS, columns=[column]):
            yield from (text or "" for text in batch.column(0).to_pylist())
    except (pa.ArrowException, UnicodeDecodeError) as broken:
        raise UserError(f"cannot be read: {broken}", where=where) from None


_READERS: dict[str, Callable[[_Input, ExitStack], Iterator[str]]] = {
    "json": _from_json,
    "csv": _from_csv,
    "parquet": _from_parquet,
}
