"""MovieLens in its CSV, `::` and 100k editions: films with a year in the title, ratings with times."""

from __future__ import annotations

import re
import typing
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from rectune.core.text.leading_article import upright
from rectune.readers.delimited import COMMAS, read_delimited, scan_delimited
from rectune.readers.drops import Drops
from rectune.readers.file_format import FileFormat
from rectune.readers.raw import Raw, interaction_frame, item_frame, no_users
from rectune.readers.text import json_object

if typing.TYPE_CHECKING:
    import polars as pl

# A series has the years of its run: (2007-), (1975-1979); what went to video or television is marked (V),
# (TV).
_YEAR = re.compile(r"\s*\((\d{4})(?:[-–](?:\d{4})?)?\)\s*(?:\((?:TV|V|VG)\))?\s*$")
_LOOSE = re.compile(r"(?<=\()\s+|\s+(?=\))")  # white space inside brackets
_NO_GENRE = ("", "(no genres listed)", "unknown")

_RATINGS = ("userId", "movieId", "rating", "timestamp")
_DAT = FileFormat(separator="::", quoted=False, fallback="latin-1")  # of 1m; 10m is UTF-8
_100K = FileFormat(separator="|", quoted=False, fallback="latin-1")
# The columns of u.item after the first five, if u.genre is not there to say so.
_GENRES = (
    "unknown Action Adventure Animation Children's Comedy Crime Documentary Drama Fantasy Film-Noir Horror "
    "Musical Mystery Romance Sci-Fi Thriller War Western"
).split()

# What the numbers in users.dat stand for, by the README of 1m.
_AGES = {
    "1": "under 18",
    "18": "18-24",
    "25": "25-34",
    "35": "35-44",
    "45": "45-49",
    "50": "50-55",
    "56": "56 or over",
}
_OCCUPATION = (
    "",
    "academic or educator",
    "artist",
    "clerical or administrative",
    "college or graduate student",
    "customer service",
    "doctor or health care",
    "executive or managerial",
    "farmer",
    "homemaker",
    "school student",
    "lawyer",
    "programmer",
    "retired",
    "sales or marketing",
    "scientist",
    "self-employed",
    "technician or engineer",
    "tradesman or craftsman",
    "unemployed",
    "writer",
)
_OCCUPATIONS = {str(number): words for number, words in enumerate(_OCCUPATION)}
_GENDERS = {"F": "female", "M": "male"}


def read(files: Sequence[Sequence[Path]], drops: Drops) -> Raw:
    """Read movies.csv and ratings.csv (the latest editions, 20m, 25m, 32m).

    Two films of one title and year are two here: links.csv has another IMDb id for each of them (two Hamlets
    of 2000, two Wars of the Worlds of 2005), so none are merged, unlike in 100k.
    """
    (movies,), (ratings,) = files
    films = item_frame(items(movies, drops))
    return Raw(films, _rated(ratings, drops, COMMAS), no_users(), drops)


def read_dat(files: Sequence[Sequence[Path]], drops: Drops) -> Raw:
    """Read movies.dat, ratings.dat and, where it is there, users.dat (1m, 10m)."""
    (movies,), (ratings,), users = files
    rated = _rated(ratings, drops, replace(_DAT, columns=_RATINGS))
    written = replace(_DAT, columns=("user", "gender", "age", "occupation", "zip"))
    people = _people(users, drops, written, _AGES, _OCCUPATIONS)
    return Raw(item_frame(items_dat(movies, drops)), rated, people, drops)


def read_100k(files: Sequence[Sequence[Path]], drops: Drops) -> Raw:
    """Read u.data, u.item and, where they are there, u.user and u.genre (100k)."""
    (ratings,), (movies,), users, genres = files
    names = _genre_names(genres[0], drops) if genres else _GENRES
    written = replace(_100K, columns=("user", "age", "gender", "occupation", "zip"))
    people = _people(users, drops, written, {}, {"other": "", "none": ""})
    films, same = _flagged(movies, names, drops)
    rated = _rated(ratings, drops, FileFormat(separator="\t", quoted=False, columns=_RATINGS), same)
    return Raw(item_frame(films), rated, people, drops)


def items(path: Path, drops: Drops) -> Iterator[dict[str, Any]]:
    """The films of movies.csv."""
    return (_item(*film) for film in _films(path, drops, COMMAS))


def items_dat(path: Path, drops: Drops) -> Iterator[dict[str, Any]]:
    """The films of movies.dat."""
    return (
        _item(*film) for film in _films(path, drops, replace(_DAT, columns=("movieId", "title", "genres")))
    )


def items_100k(path: Path, drops: Drops) -> Iterator[dict[str, Any]]:
    """The films of u.item, each once."""
    films, _ = _flagged(path, _GENRES, drops)
    return iter(films)


def _rated(
    path: Path, drops: Drops, written: FileFormat, same: Mapping[int, int] | None = None
) -> Iterator[pl.DataFrame]:
    """The ratings; `same` maps the ids of films that are listed twice to those that they have first."""
    import polars as pl

    types = (pl.UInt32(), pl.UInt32(), pl.Float32(), pl.Int64())
    schema: dict[str, pl.DataType] = dict(zip(_RATINGS, types, strict=True))
    for batch in scan_delimited(path, schema, _RATINGS, drops, written):
        table = batch.rename({"userId": "user_id", "movieId": "item_id", "rating": "value"})
        table = table.with_columns(pl.col("timestamp") * 1000)
        if same:
            table = table.with_columns(pl.col("item_id").replace(same))
        yield interaction_frame(table, "rating")


def _films(path: Path, drops: Drops, written: FileFormat) -> Iterator[tuple[str, str | None, list[str]]]:
    """Id, title as published, genres."""
    import polars as pl

    schema: dict[str, pl.DataType] = dict.fromkeys(("movieId", "title", "genres"), pl.String())
    for movie, title, genres in read_delimited(path, schema, ["movieId"], drops, written).iter_rows():
        yield movie, title, (genres or "").split("|")


def _flagged(path: Path, genres: Sequence[str], drops: Drops) -> tuple[list[dict[str, Any]], dict[int, int]]:
    """The films of u.item, where each genre has a column of 0 and 1; and the ids of those that are listed
    again.

    A few films stand there under two ids, alike in title, date and address.
    """
    import polars as pl

    header = ("movie", "title", "released", "video", "address", *genres)
    wanted = ("movie", "title", "released", "address", *genres)
    schema: dict[str, pl.DataType] = dict.fromkeys(wanted, pl.String())
    films: dict[tuple[str | None, ...], dict[str, Any]] = {}
    same = {}
    for movie, title, released, address, *flags in read_delimited(
        path, schema, ["movie"], drops, replace(_100K, columns=header)
    ).iter_rows():
        named = [genre for genre, flag in zip(genres, flags, strict=True) if flag == "1"]
        key = (title, released, address) if address else (movie,)
        first = films.setdefault(key, _item(movie, title, named))["item_id"]
        if first != movie and movie.isdecimal() and first.isdecimal():
            same[int(movie)] = int(first)
    drops.add("film listed again under another id", len(same))
    return list(films.values()), same


def _genre_names(path: Path, drops: Drops) -> list[str]:
    import polars as pl

    schema: dict[str, pl.DataType] = {"name": pl.String(), "number": pl.Int64()}
    table = read_delimited(path, schema, list(schema), drops, replace(_100K, columns=tuple(schema)))
    return table.sort("number")["name"].to_list()


def _people(
    files: Sequence[Path],
    drops: Drops,
    written: FileFormat,
    ages: Mapping[str, str],
    occupations: Mapping[str, str],
) -> pl.DataFrame:
    """What is known of the raters, with codes put into words; `files` is one or none."""
    import polars as pl

    schema: dict[str, pl.DataType] = dict.fromkeys(("user", "gender", "age", "occupation"), pl.String())
    people = [
        (
            user,
            json_object(
                gender=_GENDERS.get(gender, gender),
                age=ages.get(age, age),
                occupation=occupations.get(occupation, occupation),
            ),
        )
        for path in files
        for user, gender, age, occupation in read_delimited(
            path, schema, ["user"], drops, written
        ).iter_rows()
    ]
    return pl.DataFrame(people, schema=no_users().schema, orient="row")


def _item(movie: str, published: str | None, genres: Sequence[str]) -> dict[str, Any]:
    title, year = split_title(published or "")
    return {
        "item_id": movie,
        "title": title,
        "year": year,
        "categories": [genre for genre in genres if genre not in _NO_GENRE],
        "description": "",
        "extra": "{}",
        "marks": [str(year) if year else None],
    }


def split_title(published: str) -> tuple[str, int | None]:
    """`Postman, The (Postino, Il) (1994)` -> `The Postman (Il Postino)`, 1994."""
    found = _YEAR.search(published)
    name = published[: found.start()] if found else published
    return upright(_LOOSE.sub("", name.strip())), int(found[1]) if found else None
