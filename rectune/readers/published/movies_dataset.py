"""The Movies Dataset: films with cast, crew and keywords as Python literals, ratings joined by links.csv."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rectune.core.types import ORIGINAL_TITLE
from rectune.readers.cells import looked_into, number, text, whole
from rectune.readers.delimited import scan_delimited
from rectune.readers.drops import Drops
from rectune.readers.items import facts_of
from rectune.readers.published.movies_dataset_ratings import linked, rated
from rectune.readers.raw import Raw, item_frame, no_users
from rectune.readers.text import clean_text, clean_title, json_object, shorten

_COLUMNS = (
    "id title original_title overview tagline genres release_date production_companies production_countries "
    "spoken_languages runtime vote_average vote_count belongs_to_collection status budget revenue"
).split()
_ID = re.compile(r"([1-9][0-9]{0,8})(?:\.0*)?")
_DATE = re.compile(r"([0-9]{4})-[0-9]{2}-[0-9]{2}")
_FIRST_YEAR = 1870  # no film is older
_NO_OVERVIEW = ("no overview found.", "no overview found", "no overview")
_CAST, _KEYWORDS = 5, 20  # names that are kept of a film
_NAME = 200  # characters of the longest name
_EMPTY = ("", "[]", "{}", "None", "nan")
_NO_NAMES = "cell that is no list of names"
_Told = dict[str, "_People"]


@dataclass
class _People:
    """What credits.csv and keywords.csv say of one film."""

    cast: list[str] = field(default_factory=list)
    directors: list[str] = field(default_factory=list)
    keywords: list[str] = field(default_factory=list)


def read(files: Sequence[Sequence[Path]], drops: Drops) -> Raw:
    """Read movies_metadata.csv, where they are there credits.csv and keywords.csv, and links and ratings.

    Items have the ids of movies_metadata.csv (those of TMDB); ratings get them by links.csv, batch by batch.
    """
    (films,), people, keywords, (links,), (ratings,) = files
    table = item_frame(_films(films, people, keywords, drops))
    return Raw(table, rated(ratings, linked(links, drops), drops), no_users(), drops)


def items(path: Path, drops: Drops) -> Iterator[dict[str, Any]]:
    """The films of movies_metadata.csv, with what credits.csv and keywords.csv beside it say of them."""
    return _films(path, _beside(path, "credits.csv"), _beside(path, "keywords.csv"), drops)


def _beside(path: Path, name: str) -> list[Path]:
    there = (path.with_name(name), path.with_name(f"{name}.gz"))
    return [file for file in there if file.is_file()][:1]


# Films ------------------------------------------------------------------------------------------------------


def _films(
    path: Path, people: Sequence[Path], keywords: Sequence[Path], drops: Drops
) -> Iterator[dict[str, Any]]:
    told: _Told = {}
    named: dict[Path, list[str]] = {}  # the films that a file names
    for name, files, add in (("credits", people, _credits), ("keywords", keywords, _keywords)):
        for file in files:
            named[file] = add(file, told, drops)
        if not files:
            drops.note(f"no {name}.csv beside {path.name}: films have no {name}")
    met: set[str] = set()
    for row in _rows(path, _COLUMNS, drops):
        film = _identity(row["id"], path, drops)
        if film in met:
            drops.add("item id seen before", 1, f"{path.name}: id {film}")
        elif film:
            met.add(film)
            yield _film(film, row, told.get(film) or _People(), _Cells(path, film, drops))
    for file, films in named.items():
        strange = [film for film in films if film not in met]
        where = f"{file.name}: id {strange[0]}" if strange else ""
        drops.add("row about an unknown film", len(strange), where)


def _rows(path: Path, columns: Sequence[str], drops: Drops) -> Iterator[dict[str, Any]]:
    import polars as pl

    schema = {name: pl.String() for name in columns}
    for batch in scan_delimited(path, schema, ["id"], drops):
        yield from batch.iter_rows(named=True)


def _identity(published: str, path: Path, drops: Drops) -> str:
    """The id of a film; empty, and counted, where a row's fields stand in the wrong columns."""
    if found := _ID.fullmatch(published.strip()):
        return found[1]
    shifted = _DATE.fullmatch(published.strip())
    reason = "shifted row: its id is a date" if shifted else "item whose id is no number"
    drops.add(reason, 1, f"{path.name}: id {shorten(clean_text(published), 60)}")
    return ""


@dataclass(frozen=True)
class _Cells:
    """Reads the cells of one film; those that cannot be read are counted."""

    path: Path
    film: str
    drops: Drops

    def count(self, reason: str, column: str) -> None:
        """Count what is left out of a column."""
        self.drops.add(reason, 1, f"{self.path.name}: {column} of film {self.film}")

    def objects(self, column: str, value: str | None) -> list[dict[Any, Any]]:
        """The objects of a literal such as `[{'id': 16, 'name': 'Animation'}]`, which is never evaluated."""
        spelt = (value or "").strip()
        if spelt in _EMPTY:
            return []
        found = looked_into(spelt)
        there = [found] if isinstance(found, dict) else found if isinstance(found, list) else []
        objects = [each for each in there if isinstance(each, dict)]
        if not objects or len(objects) < len(there):
            self.count(_NO_NAMES, column)
        return objects

    def names(self, column: str, value: str | None) -> list[str]:
        """The names of the objects, each once."""
        return _named(self.objects(column, value))

    def year(self, value: str | None) -> int | None:
        """Of a date; one that is none, or lies before the first film, is counted."""
        date = (value or "").strip()
        found = _DATE.fullmatch(date)
        year = int(found[1]) if found else 0
        if date and year < _FIRST_YEAR:
            self.count("release date without a year", shorten(clean_text(date), 20))
        return year if year >= _FIRST_YEAR else None


def _named(objects: Sequence[Mapping[Any, Any]], key: str = "name") -> list[str]:
    names = (shorten(clean_text(text(each.get(key))), _NAME) for each in objects)
    return list(dict.fromkeys(name for name in names if name))


def _film(film: str, row: Mapping[str, Any], people: _People, cells: _Cells) -> dict[str, Any]:
    title, year = clean_title(row["title"]), cells.year(row["release_date"])
    genres = cells.names("genres", row["genres"])
    collection = cells.names("belongs_to_collection", row["belongs_to_collection"])
    return {
        "item_id": film,
        "title": title,
        "categories": genres,
        "description": _description(row, genres, people),
        "year": year,
        "extra": json_object(
            collection=", ".join(collection),
            tagline=clean_text(row["tagline"]),
            status=clean_text(row["status"]),
            budget=_positive(row["budget"]),
            revenue=_positive(row["revenue"]),
        ),
        "marks": [str(year) if year else None, next(iter(people.directors), None)],
        "facts": _facts(row, people, title, cells),
    }


def _description(row: Mapping[str, Any], genres: Sequence[str], people: _People) -> str:
    """Overview and tagline, and in a sentence each the genres, the directors, the cast and the keywords."""
    overview, tagline = clean_text(row["overview"]), clean_text(row["tagline"])
    told = {
        "Genres": genres,
        "Directed by": people.directors,
        "Cast": people.cast,
        "Keywords": people.keywords,
    }
    said = ["" if overview.casefold() in _NO_OVERVIEW else overview, tagline]
    said += [f"{name}: {', '.join(names)}." for name, names in told.items() if names]
    return " ".join(filter(None, said))


def _facts(row: Mapping[str, Any], people: _People, title: str, cells: _Cells) -> list[str]:
    """What travels with the film; a prompt shows the first of them."""
    original = clean_title(row["original_title"])
    languages = cells.objects("spoken_languages", row["spoken_languages"])
    minutes, votes = _positive(row["runtime"]), _positive(row["vote_count"])
    told: dict[str, Any] = {
        "directors": people.directors,
        "cast": people.cast,
        "keywords": people.keywords,
        "countries": cells.names("production_countries", row["production_countries"]),
        "languages": list(dict.fromkeys(name for each in languages for name in _language(each))),
        "runtime": f"{minutes} minutes" if minutes else None,
        "companies": cells.names("production_companies", row["production_companies"]),
        ORIGINAL_TITLE: original if original.casefold() != title.casefold() else None,
        "vote average": number(row["vote_average"]) if votes else None,
        "vote count": votes,
    }
    return facts_of(
        {name: ", ".join(value) if isinstance(value, list) else value for name, value in told.items()}
    )


def _language(each: Mapping[Any, Any]) -> list[str]:
    """Its name; where that is empty, its code."""
    return _named([each]) or _named([each], "iso_639_1")


def _positive(value: str | None) -> int | None:
    """A count; None for 0, which is written where none is known."""
    found = whole(value)
    return found if found and found > 0 else None


# Cast, crew and keywords ------------------------------------------------------------------------------------


def _credits(path: Path, told: _Told, drops: Drops) -> list[str]:
    """Adds the first five of the cast by their order, and whose job was Director; gives the films' ids."""
    named = []
    for film, row in _once(path, ("id", "cast", "crew"), drops):
        cells, people = _Cells(path, film, drops), told.setdefault(film, _People())
        people.cast = _named(sorted(cells.objects("cast", row["cast"]), key=_order))[:_CAST]
        crew = cells.objects("crew", row["crew"])
        people.directors = _named([each for each in crew if each.get("job") == "Director"])
        named.append(film)
    return named


def _order(person: Mapping[Any, Any]) -> float:
    """Its place in the cast; the last where none is told."""
    order = number(person.get("order"))
    return math.inf if order is None else order


def _keywords(path: Path, told: _Told, drops: Drops) -> list[str]:
    """Adds the first keywords; gives the films' ids."""
    named = []
    for film, row in _once(path, ("id", "keywords"), drops):
        names = _Cells(path, film, drops).names("keywords", row["keywords"])
        told.setdefault(film, _People()).keywords = names[:_KEYWORDS]
        named.append(film)
    return named


def _once(path: Path, columns: Sequence[str], drops: Drops) -> Iterator[tuple[str, dict[str, Any]]]:
    """The rows of a file of films, the first of each film, with its id."""
    met: set[str] = set()
    for row in _rows(path, columns, drops):
        film = _identity(row["id"], path, drops)
        if film in met:
            drops.add("film listed again", 1, f"{path.name}: id {film}")
        elif film:
            met.add(film)
            yield film, row
