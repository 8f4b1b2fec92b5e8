"""One column of texts out of a file or a pipe, streamed, gzipped or not; malformed lines are counted."""

from __future__ import annotations

import gzip
import io
import itertools
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from rectune.core.errors import UserError
from rectune.core.text.plain import printable
from rectune.readers.columns import shown
from rectune.readers.csv_texts import csv_texts
from rectune.readers.drops import Drops, Faults
from rectune.readers.file_format import ENDINGS, ending_of
from rectune.readers.json_array import array_values, decoded_lines, kind_of, object_of
from rectune.readers.stream import BAD_BYTE, readable, refuse_strange
from rectune.readers.strict_json import RepeatedKey
from rectune.readers.text_input import LOOK, TextInput, Texts, chosen_column

FORMATS = ("jsonl", "json", "csv", "tsv", "parquet")
_KINDS = {"csv": "csv", "tsv": "csv", "jsonl": "json", "json": "json", "parquet": "parquet"}
_ROWS = 4096  # of a Parquet file, at a time
_BLANK = b" \t\r\n"


@contextmanager
def open_texts(file: Path, column: str = "", kind: str = "", drops: Drops | None = None) -> Iterator[Texts]:
    """The texts of a column in the file's order, "" where there is none; lone surrogates (from JSON) become
    `?`. None stands in the place of a malformed record, so that places agree with the file's.

    Blank lines are skipped, but for a CSV file of one column, where they are empty texts. A file without a
    byte holds no texts in any format.

    Args:
        file: `-` reads standard input.
        column: the column's name; else `response`, `text`, or the only column of text.
        kind: one of `FORMATS` (`json` and `jsonl` tell lines from an array by themselves); else by the file's
            ending, or by the first bytes of standard input.
        drops: gets the number of malformed lines and the first place, when all texts were taken.

    Raises:
        UserError: at once or while the texts are read: no such file, format or column, an array that breaks
            off; or, when all were taken, more lines are malformed than `drops` allows.
    """
    drops = Drops() if drops is None else drops
    if kind and kind not in FORMATS:
        raise UserError(f"unknown format {kind}", where="--format", hint=f"give one of: {', '.join(FORMATS)}")
    where = "standard input" if str(file) == "-" else str(file)
    with ExitStack() as stack:
        with readable(where):
            stream = _opened(file, stack)
            reader = _READERS[_kind(file, kind, stream)]
            given = TextInput(stream, where, column, Faults(Path(where)))
            texts = reader(given, stack) if stream.peek(1) else iter(())
            # What is wrong with the first records is said before anything is made of the texts.
            head = list(itertools.islice(texts, 1))
        yield _counted(itertools.chain(head, texts), given, drops)


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


def _counted(texts: Iterable[str | None], given: TextInput, drops: Drops) -> Texts:
    """The texts, and behind the last one the account of what was malformed."""
    seen = 0
    with readable(given.where):
        for text in texts:
            seen += 1
            yield text
    given.faults.close(seen + given.swallowed, drops)


def _from_json(given: TextInput, stack: ExitStack) -> Texts:
    line = _skip_blank(given.stream)
    array = given.stream.peek(1)[:1] == b"["
    records = (_elements if array else _on_lines)(given, line)
    head = list[tuple[int, dict[str, Any] | None]]()
    good = list[dict[str, Any]]()
    for line, record in records:
        head.append((line, record))
        good += [record] if record is not None else []
        if len(good) == LOOK:
            break
    return _column_of(itertools.chain(head, records), given, good)


def _on_lines(given: TextInput, first: int) -> Iterator[tuple[int, dict[str, Any] | None]]:
    """The object on each line that is not blank, None where it is malformed."""
    lines = decoded_lines(given.stream, given.where, first, bad=given.not_utf8)
    for line, text in enumerate(lines, first):
        if BAD_BYTE in text:
            given.fault(line, "malformed: not UTF-8")
            yield line, None
        elif text.strip():
            try:
                yield line, object_of(text, given.where, line)
            except UserError as malformed:
                given.fault(line, malformed.message)
                yield line, None


def _elements(given: TextInput, first: int) -> Iterator[tuple[int, dict[str, Any] | None]]:
    """The objects in an array, None for an element that is none; where its commas fail, all of it does."""
    for line, value in array_values(given.stream, given.where, first):
        if isinstance(value, RepeatedKey):
            given.fault(line, value.fault)
        elif not isinstance(value, dict):
            given.fault(line, f"malformed: {kind_of(value)}, no object")
        yield line, value if isinstance(value, dict) else None


def _skip_blank(stream: io.BufferedReader) -> int:
    """Go past a byte order mark and blank lines; gives the number of the line that follows."""
    line = 1
    if stream.peek(3)[:3] == b"\xef\xbb\xbf":
        stream.read(3)
    while (byte := stream.peek(1)[:1]) and byte in _BLANK:
        line += stream.read(1) == b"\n"
    return line


def _column_of(
    records: Iterable[tuple[int, dict[str, Any] | None]], given: TextInput, head: Sequence[dict[str, Any]]
) -> Texts:
    names = list(dict.fromkeys(name for record in head for name in record))
    texts = [name for name in names if any(isinstance(record.get(name), str) for record in head)]
    column = given.column or (chosen_column(names, texts, given) if head else "")
    for line, record in records:
        if record is None:
            yield None
            continue
        value = record.get(column, records)  # a value that no record holds
        if isinstance(value, str):
            yield value if value.isascii() else value.encode("utf-8", "replace").decode("utf-8")
        elif value is None:
            yield ""
        else:
            found = f"has no {printable(column)}, only {shown(record)}"
            found = found if value is records else f"its {printable(column)} is no text but {kind_of(value)}"
            if not any(record.get(column, "") is None or column in texts for record in head):
                hint = "name the column of texts with --column"
                raise UserError(found, where=f"{given.where}:{line}", hint=hint)
            given.fault(line, found)
            yield None


def _from_csv(given: TextInput, stack: ExitStack) -> Texts:
    return csv_texts(given)


def _from_parquet(given: TextInput, stack: ExitStack) -> Texts:
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
        column = chosen_column(texts, texts, given)
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


def _parquet_column(file: Any, column: str, where: str) -> Texts:
    import pyarrow as pa

    try:
        for batch in file.iter_batches(batch_size=_ROWS, columns=[column]):
            yield from (text or "" for text in batch.column(0).to_pylist())
    except (pa.ArrowException, UnicodeDecodeError) as broken:
        raise UserError(f"cannot be read: {broken}", where=where) from None


_READERS: dict[str, Callable[[TextInput, ExitStack], Texts]] = {
    "json": _from_json,
    "csv": _from_csv,
    "parquet": _from_parquet,
}
