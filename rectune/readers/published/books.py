"""Book-Crossing (2004), as first published and as the Book Recommendation Dataset: a rating of 0 means none
given.

No times.
"""

from __future__ import annotations

import typing
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from rectune.readers.delimited import COMMAS, read_delimited, scan_delimited
from rectune.readers.drops import Drops
from rectune.readers.file_format import FileFormat
from rectune.readers.raw import Raw, interaction_frame, item_frame, no_users
from rectune.readers.text import clean_text, json_object, repair_mojibake

if typing.TYPE_CHECKING:
    import polars as pl

_ORIGINAL = FileFormat(separator=";", fallback="latin-1", escaped=True, null="NULL")
_TEXTS = ("Book-Title", "Book-Author", "Publisher")
_YEARS = range(
    1500, 2007
)  # 0 is none given; the crawl is of 2004, so 2050 is a slip, and 1378 a Persian year
_AGES = range(5, 106)  # years; below and above people were joking
_NOBODY = ("unknown", "not applicable (na )", "n/a")  # in place of an author


def read(files: Sequence[Sequence[Path]], drops: Drops) -> Raw:
    """Read Books.csv, Ratings.csv and, where it is there, Users.csv."""
    return _read(files, drops, COMMAS)


def read_original(files: Sequence[Sequence[Path]], drops: Drops) -> Raw:
    """Read BX-Books.csv, BX-Book-Ratings.csv and, where it is there, BX-Users.csv."""
    return _read(files, drops, _ORIGINAL)


def _read(files: Sequence[Sequence[Path]], drops: Drops, written: FileFormat) -> Raw:
    import polars as pl

    (books,), (ratings,), users = files
    table = item_frame(_items(books, drops, written))
    people = pl.concat([no_users(), *(_users(path, drops, written) for path in users)])
    return Raw(table, _rated(ratings, drops, written), people, drops)


def _rated(path: Path, drops: Drops, written: FileFormat) -> Iterator[pl.DataFrame]:
    import polars as pl

    schema = {"User-ID": pl.String(), "ISBN": pl.String(), "Book-Rating": pl.Float32()}
    value = pl.when(pl.col("Book-Rating") > 0).then("Book-Rating")
    for batch in scan_delimited(path, schema, list(schema), drops, written):
        yield interaction_frame(batch.select(user_id="User-ID", item_id="ISBN", value=value), "rating")


def items(path: Path, drops: Drops) -> Iterator[dict[str, Any]]:
    """The books of Books.csv."""
    return _items(path, drops, COMMAS)


def items_original(path: Path, drops: Drops) -> Iterator[dict[str, Any]]:
    """The books of BX-Books.csv."""
    return _items(path, drops, _ORIGINAL)


def _items(path: Path, drops: Drops, written: FileFormat) -> Iterator[dict[str, Any]]:
    import polars as pl

    schema: dict[str, pl.DataType] = dict.fromkeys(("ISBN", *_TEXTS), pl.String())
    schema["Year-Of-Publication"] = pl.Int32()  # a few published lines are shifted, and hold a publisher here
    table = read_delimited(path, schema, ["ISBN"], drops, written)
    return map(_item, table.iter_rows(named=True))


def _item(row: dict[str, Any]) -> dict[str, Any]:
    title, author, publisher = (clean_text(repair_mojibake(row[name] or "")) for name in _TEXTS)
    author = "" if author.casefold() in _NOBODY else author
    year = row["Year-Of-Publication"] if row["Year-Of-Publication"] in _YEARS else None
    return {
        "item_id": row["ISBN"],
        "title": title,
        "categories": [],
        "year": year,
        "facts": [f"author: {author}"] if author else [],
        "extra": json_object(author=author, publisher=publisher),
        "marks": [author or None, str(year) if year else None, publisher or None],
    }


def _users(path: Path, drops: Drops, written: FileFormat) -> pl.DataFrame:
    import polars as pl

    schema = {"User-ID": pl.String(), "Location": pl.String(), "Age": pl.Float32()}
    table = read_delimited(path, schema, ["User-ID"], drops, written)
    attributes = [_attributes(place, age) for place, age in table.select("Location", "Age").iter_rows()]
    return pl.DataFrame({"user_id": table["User-ID"], "attributes": pl.Series(attributes, dtype=pl.String)})


def _attributes(location: str | None, age: float | None) -> str:
    parts = [part.strip() for part in clean_text(repair_mojibake(location or "")).split(",")]
    place = ", ".join(part for part in parts if part and part != "n/a")
    return json_object(location=place, age=int(age) if age is not None and int(age) in _AGES else None)
