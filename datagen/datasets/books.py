"""Book Recommendation Dataset (Book-Crossing, 2004): a rating of 0 means none given. No times."""

from __future__ import annotations

import typing
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from datagen.datasets.delimited import read_delimited
from datagen.datasets.raw import Drops, Raw, interaction_frame, item_frame, no_users
from datagen.datasets.text import clean_text, json_object, repair_mojibake

if typing.TYPE_CHECKING:
    import polars as pl

_TEXTS = ("Book-Title", "Book-Author", "Publisher")
_AGES = range(5, 106)  # years; below and above people were joking


def read(files: Sequence[Sequence[Path]]) -> Raw:
    """Read Books.csv, Ratings.csv and, where it is there, Users.csv."""
    import polars as pl

    (books,), (ratings,), users = files
    drops = Drops()
    schema = {"User-ID": pl.String(), "ISBN": pl.String(), "Book-Rating": pl.Float32()}
    table = read_delimited(ratings, schema, list(schema), drops)
    value = pl.when(pl.col("Book-Rating") > 0).then("Book-Rating")
    rated = table.select(user_id="User-ID", item_id="ISBN", value=value)
    people = pl.concat([no_users(), *(_users(path, drops) for path in users)])
    return Raw(_items(books, drops), interaction_frame(rated, "rating"), people, drops)


def _items(path: Path, drops: Drops) -> pl.DataFrame:
    import polars as pl

    schema: dict[str, pl.DataType] = dict.fromkeys(("ISBN", *_TEXTS), pl.String())
    schema["Year-Of-Publication"] = pl.Int32()  # a few published lines are shifted, and hold a publisher here
    table = read_delimited(path, schema, ["ISBN"], drops)
    return item_frame(_item(row) for row in table.iter_rows(named=True))


def _item(row: dict[str, Any]) -> dict[str, Any]:
    title, author, publisher = (clean_text(repair_mojibake(row[name] or "")) for name in _TEXTS)
    year = row["Year-Of-Publication"] or None
    return {
        "item_id": row["ISBN"],
        "title": title,
        "categories": [],
        "description": f"by {author}" if author else "",
        "year": year,
        "extra": json_object(author=author, publisher=publisher),
        "marks": [author or None, str(year) if year else None, publisher or None],
    }


def _users(path: Path, drops: Drops) -> pl.DataFrame:
    import polars as pl

    schema = {"User-ID": pl.String(), "Location": pl.String(), "Age": pl.Float32()}
    table = read_delimited(path, schema, ["User-ID"], drops)
    attributes = [_attributes(place, age) for place, age in table.select("Location", "Age").iter_rows()]
    return pl.DataFrame({"user_id": table["User-ID"], "attributes": pl.Series(attributes, dtype=pl.String)})


def _attributes(location: str | None, age: float | None) -> str:
    parts = [part.strip() for part in clean_text(repair_mojibake(location or "")).split(",")]
    place = ", ".join(part for part in parts if part and part != "n/a")
    return json_object(location=place, age=int(age) if age is not None and int(age) in _AGES else None)
