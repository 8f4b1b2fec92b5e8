"""MyAnimeList: the Anime Recommendations Database of 2016, and the database of 2020, merged too. No times."""

from __future__ import annotations

import re
import typing
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from rectune.core.errors import UserError
from rectune.core.text.nearest import nearest
from rectune.readers.delimited import COMMAS, header_of, read_delimited, scan_delimited
from rectune.readers.drops import Drops
from rectune.readers.items import facts_of
from rectune.readers.raw import Raw, interaction_frame, item_frame, no_users
from rectune.readers.text import json_object

if typing.TYPE_CHECKING:
    import polars as pl

_FIELDS_2020 = ("MAL_ID", "Name", "Genres", "English name", "Type", "Episodes", "Aired", "Studios", "Source")
# Of the merged form: what it must have, under one of these names, and what may be missing.
_MERGED = {
    "item_id": ("MAL_ID", "anime_id"),
    "Name": ("Name",),
    "Genres": ("Genres",),
    "synopsis": ("sypnopsis", "synopsis", "Synopsis"),
    "Producers": ("Producers",),
    "Studios": ("Studios",),
}
_MERGED_OPTIONAL = ("English name", "Type", "Episodes", "Aired", "Source")
_YEAR = re.compile(r"\b(?:19|20)\d\d\b")
# What the site says in place of a synopsis, and whom it thanks after one.
_NO_SYNOPSIS = "No synopsis information has been added"
_CREDIT = re.compile(r"\s*(?:\[Written by [^\]]*\]|\(Source: [^()]*\))\s*$")


def read(files: Sequence[Sequence[Path]], drops: Drops) -> Raw:
    """Read anime.csv and rating.csv (2016); a rating of -1 (watched, not rated) becomes a null value."""
    (titles,), (ratings,) = files
    return Raw(item_frame(_items_2016(titles, drops)), _rated(ratings, drops), no_users(), drops)


def read_2020(files: Sequence[Sequence[Path]], drops: Drops) -> Raw:
    """Read anime.csv, rating_complete.csv and, where it is there, anime_with_synopsis.csv (2020)."""
    (titles,), synopses, (ratings,) = files
    told = {movie: words for path in synopses for movie, words in _synopses(path, drops)}
    return Raw(item_frame(_items_2020(titles, told, drops)), _rated(ratings, drops), no_users(), drops)


def read_2020_merged(files: Sequence[Sequence[Path]], drops: Drops) -> Raw:
    """Read pre_merged_anime.csv (titles and synopses of 2020 in one table) and rating_complete.csv."""
    (titles,), (ratings,) = files
    return Raw(item_frame(_items_merged(titles, drops)), _rated(ratings, drops), no_users(), drops)


def _rated(path: Path, drops: Drops) -> Iterator[pl.DataFrame]:
    import polars as pl

    schema = {"user_id": pl.UInt32(), "anime_id": pl.UInt32(), "rating": pl.Float32()}
    value = pl.when(pl.col("rating") > 0).then("rating")
    for batch in scan_delimited(path, schema, list(schema), drops):
        yield interaction_frame(batch.select("user_id", item_id="anime_id", value=value), "rating")


def items(path: Path, drops: Drops) -> Iterator[dict[str, Any]]:
    """The titles of anime.csv, of either edition, or of the merged form."""
    names, _ = header_of(path, COMMAS)
    if "Producers" in names and set(_MERGED["synopsis"]) & set(names):
        yield from _items_merged(path, drops)
        return
    yield from _items_2020(path, {}, drops) if "MAL_ID" in names else _items_2016(path, drops)


def _items_2016(path: Path, drops: Drops) -> Iterator[dict[str, Any]]:
    import polars as pl

    schema = dict.fromkeys(("anime_id", "name", "genre", "type", "episodes"), pl.String())
    table = read_delimited(path, schema, ["anime_id"], drops)
    for row in table.iter_rows(named=True):
        episodes = _episodes(row["episodes"])
        yield {
            "item_id": row["anime_id"],
            "title": row["name"],
            "categories": (row["genre"] or "").split(","),
            "description": "",
            "extra": json_object(type=row["type"], episodes=episodes),
            "marks": [row["type"], f"{row['episodes']} episodes" if episodes else None],
        }


def _items_2020(path: Path, told: dict[str, str], drops: Drops) -> Iterator[dict[str, Any]]:
    import polars as pl

    table = read_delimited(path, dict.fromkeys(_FIELDS_2020, pl.String()), ["MAL_ID"], drops)
    for number, name, *published in table.select(_FIELDS_2020).iter_rows():
        genres, english, kind, episodes, aired, studios, source = map(_known, published)
        year = _YEAR.search(aired)
        yield {
            "item_id": number,
            "title": name,
            "categories": genres.split(","),
            "description": told.get(number, ""),
            "year": int(year.group()) if year else None,
            "extra": json_object(
                type=kind,
                episodes=_episodes(episodes),
                studio=studios,
                source=source,
                english="" if english == name else english,
            ),
            "marks": [kind or None, year.group() if year else None, studios or None],
        }


def _items_merged(path: Path, drops: Drops) -> Iterator[dict[str, Any]]:
    import polars as pl

    columns = _merged_columns(path)
    table = read_delimited(path, dict.fromkeys(columns.values(), pl.String()), [columns["item_id"]], drops)
    for row in table.iter_rows(named=True):
        told = {name: _known(row[column]) for name, column in columns.items()}
        yield _merged_item(told)


def _merged_item(told: Mapping[str, str]) -> dict[str, Any]:
    year, english = _YEAR.search(told.get("Aired", "")), told.get("English name", "")
    synopsis = "" if told["synopsis"].startswith(_NO_SYNOPSIS) else _CREDIT.sub("", told["synopsis"])
    return {
        "item_id": told["item_id"],
        "title": told["Name"],
        "categories": told["Genres"].split(","),
        "description": synopsis,
        "year": int(year.group()) if year else None,
        "extra": json_object(
            type=told.get("Type", ""),
            episodes=_episodes(told.get("Episodes")),
            source=told.get("Source", ""),
            english="" if english == told["Name"] else english,
        ),
        "marks": [told.get("Type") or None, year.group() if year else None, told["Studios"] or None],
        "facts": facts_of({"producers": told["Producers"], "studios": told["Studios"]}),
    }


def _merged_columns(path: Path) -> dict[str, str]:
    """What the merged form says -> the column that says it; what may be missing and is, is left out.

    Raises:
        UserError: a column that must be there is not, or there under two names.
    """
    names, _ = header_of(path, COMMAS)
    found = {name: name for name in _MERGED_OPTIONAL if name in names}
    for meant, written in _MERGED.items():
        there = [name for name in written if name in names]
        if not there:
            raise UserError(
                f"has no column {' or '.join(written)}{nearest(written[-1], names)}",
                where=f"{path}:1",
                hint=f"rename the column that holds it; found: {', '.join(names)[:500]}",
            )
        if len(there) > 1:
            raise UserError(
                f"has the columns {' and '.join(there)}, which mean the same",
                where=f"{path}:1",
                hint="take one of them away",
            )
        found[meant] = there[0]
    return found


def _synopses(path: Path, drops: Drops) -> Iterator[tuple[str, str]]:
    import polars as pl

    schema = dict.fromkeys(("MAL_ID", "sypnopsis"), pl.String())  # misspelt by the publisher
    for number, published in read_delimited(path, schema, ["MAL_ID"], drops).iter_rows():
        words = _known(published)
        if not words.startswith(_NO_SYNOPSIS):
            yield number, _CREDIT.sub("", words)


def _known(published: str | None) -> str:
    """The site writes `Unknown` where it has no value."""
    return "" if published in (None, "Unknown") else published.strip()


def _episodes(text: str | None) -> int | None:
    """A count, or None for `Unknown`."""
    return int(text) if text and text.isdecimal() else None
