"""The bytes of a file as UTF-8, plain or gzipped, whatever its encoding; what is no data is refused."""

from __future__ import annotations

import codecs
import gzip
import io
import typing
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rectune.core.errors import UserError
from rectune.readers.drops import Sizes
from rectune.readers.encoding import encoding_hint
from rectune.readers.file_format import FileFormat

AGAIN = "get the file again, or fix it"
_HEAD = 512  # bytes that tell what is no table
_BLOCK = 1 << 20  # bytes that are recoded together
_STRANGE = {
    b"version https://git-lfs": ("is a pointer of Git LFS and not the data", "get the data: git lfs pull"),
    b"PK\x03\x04": ("is a zip archive or a spreadsheet", "unpack it, or export the sheet as CSV in UTF-8"),
    b"\xd0\xcf\x11\xe0": ("is a spreadsheet or a document", "export it as CSV in UTF-8"),
    b"BZh": ("is packed by bzip2", "unpack it, or pack it with gzip"),
    b"\xfd7zXZ": ("is packed by xz", "unpack it, or pack it with gzip"),
    b"\x28\xb5\x2f\xfd": ("is packed by zstd", "unpack it, or pack it with gzip"),
    b"SQLite format 3": ("is a database", "export the table as CSV or JSON lines"),
}
_PAGES = (b"<!doctype", b"<html", b"<?xml", b"<head")


@contextmanager
def open_utf8(path: Path, written: FileFormat) -> Iterator[io.BufferedReader]:
    """The text of a file as UTF-8 without a byte order mark; to be read with `read`, `readline` and `peek`.

    UTF-8 itself is not checked here.

    Raises:
        UserError: the file cannot be read, is empty, is no table, is cut off, or not in its encoding.
    """
    with open_bytes(path) as raw:
        stream = raw
        head = raw.peek(_HEAD)[:_HEAD]
        if written.is_utf8:
            if head[:2] in (b"\xff\xfe", b"\xfe\xff"):
                raise UserError("is written in UTF-16", where=f"{path}:1", hint="say so: encoding: utf-16")
            if head.startswith(codecs.BOM_UTF8):
                raw.read(3)
        else:
            stream = io.BufferedReader(
                typing.cast(io.RawIOBase, _Recoder(raw, written.encoding, path)), _BLOCK
            )
        if not stream.peek(1):  # a byte order mark alone
            raise UserError("is empty", where=str(path), hint=AGAIN)
        yield stream


@contextmanager
def open_bytes(path: Path) -> Iterator[io.BufferedReader]:
    """The bytes of a plain or gzipped file (known by its first bytes).

    Raises:
        UserError: the file cannot be read, is empty, is no table, or is cut off.
    """
    with readable(str(path)), path.open("rb") as opened:
        stream: io.BufferedReader = opened
        head = opened.peek(2)[:2]
        if head == b"\x1f\x8b" or (head == b"\x1f" and path.suffix == ".gz"):
            # It has all that is used of a buffered reader, and unpacks no more than is read.
            stream = typing.cast(io.BufferedReader, gzip.GzipFile(fileobj=opened))
        refuse_strange(stream.peek(_HEAD)[:_HEAD], str(path))
        yield stream


def refuse_strange(head: bytes, where: str) -> None:
    """Refuse what is no table, by its first bytes.

    Raises:
        UserError: they are none, or those of another kind of file.
    """
    if not head:
        raise UserError("is empty", where=where, hint=AGAIN)
    for sign, (found, hint) in _STRANGE.items():
        if head.startswith(sign):
            raise UserError(found, where=where, hint=hint)
    if head.removeprefix(codecs.BOM_UTF8).lstrip().lower().startswith(_PAGES):
        raise UserError(
            "is a page of the web (or XML) and not the data",
            where=where,
            hint="the download gave an error page or a form: get the file itself",
        )


@contextmanager
def readable(where: str) -> Iterator[None]:
    """What the system or gzip has against a file's bytes, in words."""
    try:
        yield
    except FileNotFoundError:
        raise UserError("cannot be read: no such file", where=where, hint="check the path") from None
    except (EOFError, zlib.error, gzip.BadGzipFile):
        found = "cannot be read to its end: it was cut off, or is damaged"
        raise UserError(found, where=where, hint=AGAIN) from None
    except OSError as broken:
        raise UserError(f"cannot be read: {broken.strerror or broken}", where=where, hint=AGAIN) from None


def line_chunks(stream: io.BufferedReader, size: int, sizes: Sizes, where: str) -> Iterator[bytes]:
    """All bytes, about `size` at a time, cut at ends of lines.

    Raises:
        UserError: a line is longer than `sizes.longest`.
    """
    while chunk := stream.read(size):
        if chunk[-1:] != b"\n":
            rest = stream.readline(sizes.longest)
            if len(rest) == sizes.longest:
                raise UserError(f"has a line of {sizes.longest:,} bytes or more", where=where, hint=AGAIN)
            chunk += rest
        yield chunk


BAD_BYTE = "\ufdd0"  # stands for bytes that are not UTF-8; no character, so in no text


def checked(chunk: bytes, written: FileFormat, path: Path, line: int) -> tuple[bytes, bool]:
    """Whole lines in UTF-8, and whether any held a byte that is not: `BAD_BYTE` stands in its place.

    Damage in single lines is let through; where fewer lines with other signs than ASCII are UTF-8 than are
    not, the file is in another encoding.

    Args:
        line: the number (from 1) of the first line.

    Raises:
        UserError: the text is in another encoding.
    """
    if chunk.isascii():
        return chunk, False
    try:
        chunk.decode()
        return chunk, False
    except UnicodeDecodeError:
        pass
    if written.fallback:
        return chunk.decode(written.fallback).encode(), False
    lines = chunk.split(b"\n")
    odd = [at for at, each in enumerate(lines) if not each.isascii()]
    bad = [at for at in odd if not _is_utf8(lines[at])]
    if 2 * len(bad) >= len(odd):
        sample = b"\n".join(lines[at] for at in bad[:100])
        raise UserError("is not UTF-8", where=f"{path}:{line + bad[0]}", hint=encoding_hint(sample))
    for at in bad:
        lines[at] = lines[at].decode("utf-8", "replace").replace("\ufffd", BAD_BYTE).encode()
    return b"\n".join(lines), True


def _is_utf8(line: bytes) -> bool:
    try:
        line.decode()
    except UnicodeDecodeError:
        return False
    return True


class _Recoder(io.RawIOBase):
    """The bytes of a text in UTF-8."""

    def __init__(self, stream: io.BufferedReader, encoding: str, path: Path) -> None:
        self._stream, self._encoding, self._path = stream, encoding, path
        self._decoder = codecs.getincrementaldecoder(encoding)()
        self._held, self._line = b"", 1

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: typing.Any) -> int:
        """Fill a buffer; 0 at the end."""
        while not self._held:
            raw = self._stream.read(_BLOCK)
            text = self._decoded(raw)
            if not text and not raw:
                return 0
            if self._line == 1:
                text = text.removeprefix("\ufeff")
            self._line += text.count("\n")
            self._held = text.encode("utf-8", "replace")
        size = min(len(buffer), len(self._held))
        buffer[:size], self._held = self._held[:size], self._held[size:]
        return size

    def _decoded(self, raw: bytes) -> str:
        try:
            return self._decoder.decode(raw, final=not raw)
        except UnicodeError as broken:
            line = self._line
            if isinstance(broken, UnicodeDecodeError):
                line += broken.object[: broken.start].decode(self._encoding, "ignore").count("\n")
            raise UserError(
                f"is not in the encoding {self._encoding}",
                where=f"{self._path}:{line}",
                hint="give another `encoding`, or leave it out for UTF-8",
            ) from None
