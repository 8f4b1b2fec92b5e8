"""JSON objects out of a stream of bytes, one a line or in one array, with the line that each begins on."""

from __future__ import annotations

import codecs
import io
import json
import re
from collections.abc import Callable, Iterator
from typing import Any

from rectune.core.errors import UserError
from rectune.readers.encoding import encoding_hint
from rectune.readers.stream import BAD_BYTE
from rectune.readers.strict_json import RepeatedKey, StrictJson

LONGEST = 64 << 20  # bytes or characters: no record is longer
_CHUNK = 1 << 20  # bytes of an array that are read together
_BLANK = re.compile(r"[ \t\r\n]*")
_ARRAY = "one JSON array of objects, or one object a line"

Record = tuple[int, dict[str, Any]]


def decoded_lines(
    stream: io.BufferedReader,
    where: str,
    first: int = 1,
    longest: int = LONGEST,
    bad: Callable[[bytes], None] | None = None,
) -> Iterator[str]:
    """The lines of a file, none of them as long as `longest` bytes, with their ends.

    Args:
        bad: is called with a line that is not UTF-8, which then comes with `BAD_BYTE` in the place of its bad
            bytes.

    Raises:
        UserError: one is longer, or not UTF-8.
    """
    line = first
    while found := stream.readline(longest):
        if len(found) >= longest:
            raise UserError(f"a line is longer than {longest / (1 << 20):.3g} MiB", where=f"{where}:{line}")
        try:
            yield found.decode("utf-8")
        except UnicodeDecodeError as broken:
            if bad is None:
                raise _malformed(broken, where, line, f"UTF-8; {encoding_hint(found)}") from None
            bad(found)
            yield found.decode("utf-8", "replace").replace("\ufffd", BAD_BYTE)
        line += 1


def objects_on_lines(
    stream: io.BufferedReader, where: str, first: int, longest: int = LONGEST
) -> Iterator[Record]:
    """JSON lines; blank ones are skipped.

    Raises:
        UserError: a line is not UTF-8, not JSON, or no object.
    """
    for line, text in enumerate(decoded_lines(stream, where, first, longest), first):
        if text.strip():
            yield line, object_of(text, where, line)


def object_of(text: str, where: str, line: int) -> dict[str, Any]:
    """The JSON object on one line.

    Raises:
        UserError: it is not JSON, or no object.
    """
    try:
        value = StrictJson().decode(text)
    except (ValueError, RecursionError) as broken:
        raise _malformed(broken, where, line, "one JSON object a line") from None
    return checked_object(value, where, line)


def array_values(
    stream: io.BufferedReader, where: str, first: int = 1, longest: int = LONGEST, chunk: int = _CHUNK
) -> Iterator[tuple[int, Any]]:
    """The values in one JSON array and the lines on which they begin, read `chunk` bytes at a time.

    A chunk and the value at hand are held. In the place of a value with a key twice in one object stands a
    `RepeatedKey`.

    Args:
        first: the number (from 1) of the line on which the array begins.

    Raises:
        UserError: something is malformed, or breaks off.
    """
    text = _Window(stream, where, first, longest, chunk)
    text.take("[")
    if text.peek() != "]":
        yield text.value()
        while text.peek() == ",":
            text.take(",")
            text.peek()
            yield text.value()
    text.take("]")
    if rest := text.peek():
        raise _malformed(f"“{rest}” after the end of the array", where, text.line, "one array a file")


def array_elements(
    stream: io.BufferedReader, where: str, first: int, longest: int = LONGEST, chunk: int = _CHUNK
) -> Iterator[Record]:
    """The objects in one JSON array; see `array_values`.

    Raises:
        UserError: something is malformed, breaks off, or is no object.
    """
    for line, value in array_values(stream, where, first, longest, chunk):
        yield line, checked_object(value, where, line)


class _Window:
    """The part of a text that is looked at; `line` is that of the place that was reached."""

    def __init__(self, stream: io.BufferedReader, where: str, line: int, longest: int, chunk: int) -> None:
        self._longest, self._chunk = longest, chunk
        self._stream, self._where, self.line = stream, where, line
        self._utf8 = codecs.getincrementaldecoder("utf-8")()
        self._decode = StrictJson().raw_decode
        self._held, self._place = "", 0

    def peek(self) -> str:
        """The character after any blanks; empty at the end."""
        while True:
            blanks = _BLANK.match(self._held, self._place)
            self._pass(blanks.end() if blanks else self._place)
            if self._place < len(self._held) or not self._more():
                return self._held[self._place : self._place + 1]

    def take(self, wanted: str) -> None:
        """Go past a character that must come."""
        found = self.peek()
        if found != wanted:
            what = f"“{found}”" if found else "the end of the file"
            raise _malformed(f"{what} in place of “{wanted}”", self._where, self.line, _ARRAY)
        self._place += 1

    def value(self) -> tuple[int, Any]:
        """The value that begins here, and its line."""
        while True:
            try:
                value, end = self._decode(self._held, self._place)
                break
            except RecursionError as broken:
                raise _malformed(broken, self._where, self.line, _ARRAY) from None
            except ValueError as broken:  # or the window ends within it
                if not self._more():
                    raise _malformed(broken, self._where, self.line, _ARRAY) from None
        line = self.line
        self._pass(end)
        return line, value

    def _pass(self, end: int) -> None:
        self.line += self._held.count("\n", self._place, end)
        self._place = end

    def _more(self) -> bool:
        """Read on, as much again as is held, so that a long value is not looked at too often."""
        left = self._held[self._place :]
        if len(left) > self._longest:
            return False
        try:
            read = self._stream.read(max(self._chunk, len(left)))
            self._held, self._place = left + self._utf8.decode(read, final=not read), 0
        except UnicodeDecodeError as broken:
            line = self.line + broken.object[: broken.start].count(b"\n")
            sample = broken.object[max(0, broken.start - 40) : broken.start + 200]
            raise _malformed(broken, self._where, line, f"UTF-8; {encoding_hint(sample)}") from None
        return bool(read)


def checked_object(value: Any, where: str, line: int) -> dict[str, Any]:
    """The value, if it is an object.

    Raises:
        UserError: it is none.
    """
    if isinstance(value, dict):
        return value
    if isinstance(value, RepeatedKey):
        raise UserError(value.fault, where=f"{where}:{line}", hint="give every key a name of its own")
    raise _malformed(f"{kind_of(value)}, no object", where, line, "objects with a column of texts")


def _malformed(problem: Exception | str, where: str, line: int, wanted: str) -> UserError:
    found = str(problem)
    if isinstance(problem, json.JSONDecodeError):  # its own line is that of the part that was looked at
        found = f"not JSON, {problem.msg.removesuffix(' at')}" + (
            f" at column {problem.colno}" if wanted != _ARRAY else ""
        )
    elif isinstance(problem, UnicodeDecodeError):
        found = f"not UTF-8, byte 0x{problem.object[problem.start]:02x}"
    return UserError(f"malformed: {found}", where=f"{where}:{line}", hint=f"wanted: {wanted}")


def kind_of(value: Any) -> str:
    """What a JSON value is, in words."""
    kinds = {
        bool: "true or false",
        int: "a number",
        float: "a number",
        str: "a text",
        list: "a list",
        dict: "an object",
    }
    return kinds.get(type(value), "nothing")
