"""MovieLens in its CSV editions: films with a year in the title, ratings with times."""

from __future__ import annotations

import re
import typing
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from datagen.datasets.delimited import read_delimited
from datagen.datasets.raw import Drops, Raw, interaction_frame, item_frame, no_users

if typing.TYPE_CHECKING:
    import polars as pl

_YEAR = re.compile(
    r"\s*\((\d{4})(?:[-–](?:\d{4})?)?\)\s*$"
)  # a series has the years of its run: (2007-), (1975-1979)
_ARTICLES = (
    "The|A|An|La|Le|Les|L'|Un|Une|Il|Lo|I|Gli|Una|El|Los|Las|Der|Die|Das|Ein|Eine|O|Os|As|Den|Det|De|En"
)
_MOVED = re.compile(
    rf"(?P<begin>^|\()(?P<name>[^()]+(?:\([^()]*\))?), (?P<article>{_ARTICLES})(?=\s*(?:\(|\)|$))"
)
_NO_GENRE = "(no genres listed)"


def read(files: Sequence[Sequence[Path]]) -> Raw:
    """Read movies.csv and ratings.csv."""
    import polars as pl

    (movies,), (ratings,) = files
    drops = Drops()
    schema = {"userId": pl.String(), "movieId": pl.String(), "rating": pl.Float32(), "timestamp": pl.Int64()}
    table = read_delimited(ratings, schema, list(schema), drops)
    rated = table.rename({"userId": "user_id", "movieId": "item_id", "rating": "value"})
    return Raw(_items(movies, drops), interaction_frame(rated, "rating"), no_users(), drops)


def _items(path: Path, drops: Drops) -> pl.DataFrame:
    import polars as pl

    table = read_delimited(
        path, {name: pl.String() for name in ("movieId", "title", "genres")}, ["movieId"], drops
    )
    return item_frame(_item(*row) for row in table.select("movieId", "title", "genres").iter_rows())


def _item(movie: str, published: str | None, genres: str | None) -> dict[str, Any]:
    title, year = split_title(published or "")
    return {
        "item_id": movie,
        "title": title,
        "year": year,
        "categories": [genre for genre in (genres or "").split("|") if genre != _NO_GENRE],
        "description": "",
        "extra": "{}",
        "marks": [str(year) if year else None],
    }


def split_title(published: str) -> tuple[str, int | None]:
    """`Postman, The (Postino, Il) (1994)` -> `The Postman (Il Postino)`, 1994."""
    found = _YEAR.search(published)
    name = published[: found.start()] if found else published
    return _MOVED.sub(_in_front, name.strip()), int(found[1]) if found else None


def _in_front(match: re.Match[str]) -> str:
    gap = "" if match["article"].endswith("'") else " "
    return f"{match['begin']}{match['article']}{gap}{match['name'].strip()}"
