"""How a file is written: its format and, of text, the encoding and the signs that part its fields."""

from __future__ import annotations

import codecs
import csv
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from rectune.core.errors import UserError
from rectune.core.text.nearest import nearest

FORMATS = ("csv", "tsv", "jsonl", "json", "parquet")
ENDINGS = {
    ".csv": "csv", ".tsv": "tsv", ".tab": "tsv",
    ".jsonl": "jsonl", ".ndjson": "jsonl", ".json": "json",
    ".parquet": "parquet", ".pq": "parquet",
}  # fmt: skip
_SEPARATORS = "\t,;|"  # of several that are met equally often the first counts


@dataclass(frozen=True)
class FileFormat:
    """How a file is written.

    Attributes:
        format: one of `FORMATS`; empty: by the file's ending.
        encoding: a text encoding that Python knows; a byte order mark is read over.
        separator: what parts fields; empty: whichever of tab, comma, semicolon and bar the first line has
            most of.
        quoted: a field may stand in quotes; otherwise quotes are data.
        columns: the names of the columns, for files without a header line.
        time_format: of times, as of strptime (`%d-%m-%Y %H:%M`); empty: see `rectune.readers.times`.
        fallback: the encoding of parts of a file that are not UTF-8, for files that were published in either.
        escaped: a backslash and not a second quote stands before a quote in a quoted field.
        null: stands for no value in columns that are not text.
    """

    format: str = ""
    encoding: str = "utf-8"
    separator: str = ""
    quoted: bool = True
    columns: tuple[str, ...] = ()
    time_format: str = ""
    fallback: str = ""
    escaped: bool = False
    null: str = ""

    def __post_init__(self) -> None:
        if self.format and self.format not in FORMATS:
            raise UserError(
                f"unknown format {self.format}{nearest(self.format, FORMATS)}",
                where="format",
                hint=f"one of: {', '.join(FORMATS)}",
            )
        _check_encoding(self.encoding)
        if self.separator and (
            '"' in self.separator or (not self.separator.isprintable() and self.separator != "\t")
        ):
            raise UserError("the separator has to be a tab or printable, and no quote", where="separator",
                            hint="give the sign that stands between two fields")  # fmt: skip

    @property
    def is_utf8(self) -> bool:
        """Whether bytes need not be recoded."""
        return codecs.lookup(self.encoding).name in ("utf-8", "utf-8-sig", "ascii")

    def of(self, path: Path) -> FileFormat:
        """The same, with the format that the file's ending says where none is given.

        Raises:
            UserError: the ending says none.
        """
        if self.format:
            return self
        found = ending_of(path)
        if found not in ENDINGS:
            raise UserError(
                f"unknown format: the name ends in {found}"
                if found
                else "unknown format: the name has no ending",
                where=str(path),
                hint=f"say which format it has: {', '.join(FORMATS)} (known endings: {' '.join(ENDINGS)}, "
                "each also with .gz)",
            )
        return replace(self, format=ENDINGS[found])


def ending_of(path: Path) -> str:
    """The ending that says the format: `.csv` of `items.CSV.gz`."""
    name = path.name.lower().removesuffix(".gz")
    return Path(name).suffix


def separator_of(line: str) -> str:
    """What parts the fields of a header line: the sign that stands most often outside quotes."""
    parts = line.split('"')[::2]  # what stands outside quotes
    counts = {sign: sum(part.count(sign) for part in parts) for sign in _SEPARATORS}
    return max(_SEPARATORS, key=lambda sign: counts[sign])


def fields_of(line: str, separator: str, quoted: bool = True) -> list[str]:
    """The fields of a line that is a whole record, without white space around them.

    Raises:
        csv.Error: its quotes are in disorder.
    """
    if not quoted or len(separator) > 1:
        return [name.strip() for name in line.rstrip("\r\n").split(separator)]
    row: Sequence[str] = next(csv.reader([line], delimiter=separator, strict=True), [])
    return [name.strip() for name in row]


def _check_encoding(name: str) -> None:
    try:
        codec = codecs.lookup(name)
    except (LookupError, ValueError):
        known = (
            "utf-8",
            "utf-16",
            "latin-1",
            "cp1252",
            "cp949",
            "euc-kr",
            "shift_jis",
            "gb18030",
            "big5",
            "cp1251",
        )
        raise UserError(f"unknown encoding {name}{nearest(name, known)}", where="encoding",
                        hint=f"some that are known: {', '.join(known)}") from None  # fmt: skip
    if not getattr(codec, "_is_text_encoding", True):
        raise UserError(f"{name} is no encoding of text", where="encoding", hint="utf-8, latin-1, cp949 …")
