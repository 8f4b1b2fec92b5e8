"""The Movies Dataset: literals in cells, rows that run over the line, ids of three kinds."""

import csv
import gzip
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rectune.core.errors import UserError
from rectune.readers.catalogue import CatalogueOptions, read_catalogue
from rectune.readers.drops import Drops
from rectune.readers.published.movies_dataset import items, read

HEADER = (
    "adult,belongs_to_collection,budget,genres,homepage,id,imdb_id,original_language,original_title,overview,"
    "popularity,poster_path,production_companies,production_countries,release_date,revenue,runtime,"
    "spoken_languages,status,tagline,title,video,vote_average,vote_count"
).split(",")
BROKEN = "cell that is no list of names"
UNTOLD = "row about an unknown film"

TIN = {
    "adult": "False",
    "belongs_to_collection": repr({"id": 1, "name": "The Tin Boats", "poster_path": None}),
    "budget": "30000000",
    "genres": repr([{"id": 16, "name": "Animation"}, {"id": 35, "name": "Comedy"}]),
    "id": "862",
    "imdb_id": "tt0000862",
    "original_language": "fr",
    "original_title": "Bateaux d'étain",
    "overview": 'A boat of tin, called "Nail", is lost.\n\nThen it rains, and it rains.',
    "production_companies": repr([{"name": "O'Dell's Pictures", "id": 3}]),
    "production_countries": repr([{"iso_3166_1": "FR", "name": "France"}]),
    "release_date": "1995-10-30",
    "revenue": "0",
    "runtime": "81.0",
    "spoken_languages": repr([{"iso_639_1": "fr", "name": "Français"}, {"iso_639_1": "xx", "name": ""}]),
    "status": "Released",
    "tagline": "It floats.",
    "title": "Tin Boats",
    "vote_average": "7.7",
    "vote_count": "5415",
}


def table(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return out.getvalue()


def metadata(*films: Mapping[str, str]) -> str:
    return table(HEADER, [[film.get(name, "") for name in HEADER] for film in films])


def film(number: int, **changed: str) -> dict[str, str]:
    return {"id": str(number), "title": f"Film {number}", "release_date": "2001-02-03"} | changed


def person(name: Any, order: Any) -> dict[str, Any]:
    return {"cast_id": 9, "character": 'Nail\'s "mother"', "name": name, "order": order, "profile_path": None}


def put(folder: Path, files: Mapping[str, str]) -> Path:
    for name, content in files.items():
        (folder / name).write_text(content, encoding="utf-8")
    return folder / "movies_metadata.csv"


def films(folder: Path, limit: float = 0.0, **files: str) -> tuple[list[dict[str, Any]], Drops]:
    drops = Drops(malformed_limit=limit)
    found = list(items(put(folder, {f"{name}.csv": content for name, content in files.items()}), drops))
    return found, drops


# Films ------------------------------------------------------------------------------------------------------


def test_a_film_is_read_with_its_people_and_keywords(tmp_path: Path) -> None:
    cast = [person("Sixth", 5), person("Ann O'Neil", 0), *(person(f"Actor {n}", n) for n in (4, 3, 2, 1))]
    crew = [{"job": "Producer", "name": "Paid"}]
    crew += [{"job": "Director", "name": name} for name in ("Jo Lee", "Jo Lee", 'Ed "Bo" D\'Arc')]
    [found], drops = films(
        tmp_path,
        movies_metadata=metadata(TIN),
        credits=table(["cast", "crew", "id"], [[cast, crew, 862]]),
        keywords=table(["id", "keywords"], [[862, [{"id": 931, "name": "toy's life"}]]]),
    )
    assert (found["item_id"], found["title"], found["year"]) == ("862", "Tin Boats", 1995)
    assert found["categories"] == ["Animation", "Comedy"]
    assert found["description"] == (
        'A boat of tin, called "Nail", is lost. Then it rains, and it rains. It floats. '
        'Genres: Animation, Comedy. Directed by: Jo Lee, Ed "Bo" D\'Arc. '
        "Cast: Ann O'Neil, Actor 1, Actor 2, Actor 3, Actor 4. Keywords: toy's life."
    )
    assert found["facts"] == [
        'directors: Jo Lee, Ed "Bo" D\'Arc',
        "cast: Ann O'Neil, Actor 1, Actor 2, Actor 3, Actor 4",
        "keywords: toy's life",
        "countries: France",
        "languages: Français, xx",
        "runtime: 81 minutes",
        "companies: O'Dell's Pictures",
        "original title: Bateaux d'étain",
        "vote average: 7.7",
        "vote count: 5415",
    ]
    assert json.loads(found["extra"]) == {
        "collection": "The Tin Boats", "tagline": "It floats.", "status": "Released", "budget": 30000000,
    }  # fmt: skip
    assert found["marks"] == ["1995", "Jo Lee"]
    assert drops.counts == {} and drops.notes == []


def test_what_is_not_told_is_left_out_and_missing_files_are_said(tmp_path: Path) -> None:
    bare = film(5, original_title="FILM 5", overview="No overview found.", runtime="0.0", vote_average="3.0",
                vote_count="0", genres="[]", production_companies="[]", release_date="")  # fmt: skip
    [found], drops = films(tmp_path, movies_metadata=metadata(bare))
    assert (found["facts"], found["description"], found["categories"]) == ([], "", [])
    assert found["year"] is None and found["extra"] == "{}"
    assert drops.counts == {}
    assert drops.notes == [
        "no credits.csv beside movies_metadata.csv: films have no credits",
        "no keywords.csv beside movies_metadata.csv: films have no keywords",
    ]


@pytest.mark.parametrize(
    ("date", "year", "dropped"),
    [
        ("1874-12-09", 1874, 0), ("2017-01-01", 2017, 0), ("", None, 0),
        ("0000-00-00", None, 1), ("0000-01-01", None, 1), ("1", None, 1), ("12/1995", None, 1),
    ],
)  # fmt: skip
def test_years(tmp_path: Path, date: str, year: int | None, dropped: int) -> None:
    [found], drops = films(tmp_path, movies_metadata=metadata(film(5, release_date=date)))
    assert found["year"] == year
    assert drops.counts == ({"release date without a year": 1} if dropped else {})
    if dropped:
        assert drops.first["release date without a year"] == [f"movies_metadata.csv: {date} of film 5"]


def test_shifted_rows_dates_for_ids_and_films_met_before_are_counted_with_the_first_place(
    tmp_path: Path,
) -> None:
    dates = [film(0, id=date, title="Shifted") for date in ("1997-08-20", "2012-09-29", "2014-01-01")]
    odd = [film(0, id=text) for text in ("abc", "0", "-3", "1e3", "99999999999")]
    rows = [
        film(1),
        dates[0],
        film(2, title="First"),
        *odd,
        film(2, title="Again"),
        *dates[1:],
        film(3, id="3.0"),
    ]
    found, drops = films(tmp_path, movies_metadata=metadata(*rows))
    assert [(each["item_id"], each["title"]) for each in found] == [
        ("1", "Film 1"),
        ("2", "First"),
        ("3", "Film 3"),
    ]
    assert drops.counts == {
        "shifted row: its id is a date": 3, "item whose id is no number": 5, "item id seen before": 1,
    }  # fmt: skip
    assert drops.first == {
        "shifted row: its id is a date": ["movies_metadata.csv: id 1997-08-20"],
        "item whose id is no number": ["movies_metadata.csv: id abc"],
        "item id seen before": ["movies_metadata.csv: id 2"],
    }


def test_a_row_that_runs_over_the_line_spoils_no_other(tmp_path: Path) -> None:
    whole = metadata(*(film(number) for number in range(1, 41)))
    before, after = whole.splitlines(keepends=True)[:21], whole.splitlines(keepends=True)[21:]
    cut = "False,,0,\"[{'id': 18, 'name': 'Drama'}]\",,82663,tt0113002,en,Midnight,Said of it\n"
    cut += " - Written by one,0.06,/x.jpg,\"[{'name': 'Co', 'id': 1}]\",[],1997-08-20,0,104.0,[],"
    cut += "Released,,Cut,False,6.0,1\n"
    found, drops = films(tmp_path, 0.05, movies_metadata="".join([*before, cut, *after]))
    assert [each["item_id"] for each in found] == [str(number) for number in range(1, 41)]
    assert drops.counts == {"malformed line": 2}
    assert drops.first["malformed line"][0].startswith("movies_metadata.csv:22: has 10 of 24 fields")
    with pytest.raises(UserError, match="malformed"):
        films(tmp_path, 0.01)


# Literals that are none -------------------------------------------------------------------------------------

HOSTILE = [
    "no literal",
    "[{'id': 1, 'name': 'Cut off'",
    "__import__('os').system('touch run')",
    "[{'name': __import__('os').system('touch run')}]",
    "[{'name': open('run', 'w')}]",
    "[" * 20000 + "]" * 20000,
    "{'a':" * 5000 + "1" + "}" * 5000,
    "[{'name': 'x'}, " + "'y'," * 400_000 + "]",
    "[1, 2, 3]",
    "{1: 2}",
    "['text']",
    "9" * 10_000,
    "b'bytes'",
    "[{'name': 'a'} for a in 'b']",
]


@pytest.mark.parametrize("cell", HOSTILE, ids=lambda cell: cell[:20])
def test_hostile_cells_are_data_and_counted(
    tmp_path: Path, cell: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    told = {"genres": cell, "spoken_languages": cell}
    found, drops = films(
        tmp_path,
        movies_metadata=metadata(film(5, **told), film(6)),
        credits=table(["cast", "crew", "id"], [[cell, "[]", 5]]),
        keywords=table(["id", "keywords"], [[5, cell]]),
    )
    assert [each["item_id"] for each in found] == ["5", "6"]
    assert (found[0]["categories"], found[0]["facts"]) == ([], [])
    assert drops.counts == {BROKEN: 4}
    assert drops.first[BROKEN] == [
        "credits.csv: cast of film 5",
        "keywords.csv: keywords of film 5",
        "movies_metadata.csv: genres of film 5",
    ]
    assert not (tmp_path / "run").exists()


def test_what_can_be_read_of_a_list_is_and_the_rest_is_counted(tmp_path: Path) -> None:
    cell = "[{'name': 'Drama'}, 3, {'name': None}, {'id': 4}, {'name': ['A', ['B']]}, {'name': 'Drama'}]"
    [found], drops = films(tmp_path, movies_metadata=metadata(film(5, genres=cell)))
    assert found["categories"] == ["Drama", "A, B"]
    assert drops.counts == {BROKEN: 1}


def test_an_order_that_is_none_comes_last_and_long_names_are_cut(tmp_path: Path) -> None:
    cast = [person("No order", None), person("Text", "x"), person("L" * 5000, 1), person("First", 0)]
    credits = table(["cast", "crew", "id"], [[cast, [], 5], [[person("Again", 0)], [], 5], [[], [], 77]])
    keywords = table(["id", "keywords"], [[5, []], [78, []], [79, []]])
    [found], drops = films(tmp_path, movies_metadata=metadata(film(5)), credits=credits, keywords=keywords)
    [told] = found["facts"]
    assert told == f"cast: First, {'L' * 199}…, No order, Text"
    assert drops.counts == {"film listed again": 1, UNTOLD: 3}
    assert drops.first == {
        "film listed again": ["credits.csv: id 5"],
        UNTOLD: ["credits.csv: id 77", "keywords.csv: id 78"],
    }


LITERALS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["name", "job"]), inner),
    max_leaves=8,
)


@settings(max_examples=80, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.text(max_size=40) | LITERALS.map(repr))
def test_any_cell_gives_texts_or_is_counted(tmp_path: Path, cell: str) -> None:
    safe = "".join(sign for sign in cell if sign.isprintable())
    found, drops = films(
        tmp_path,
        movies_metadata=metadata(film(5, genres=safe)),
        credits=table(["cast", "crew", "id"], [[safe, safe, 5]]),
    )
    assert [each["item_id"] for each in found] == ["5"]
    assert all(isinstance(name, str) and name for name in found[0]["categories"])
    assert set(drops.counts) <= {BROKEN}


# Ratings ----------------------------------------------------------------------------------------------------


def ratings_of(
    folder: Path, links: Sequence[Sequence[Any]], rated: Sequence[Sequence[Any]], ending: str = ""
) -> tuple[list[tuple[Any, ...]], Drops]:
    names = ("movies_metadata.csv", f"links{ending}.csv", f"ratings{ending}.csv")
    links_text = table(["movieId", "imdbId", "tmdbId"], links)
    rated_text = table(["userId", "movieId", "rating", "timestamp"], rated)
    put(folder, dict(zip(names, (metadata(film(862)), links_text, rated_text), strict=True)))
    drops = Drops(malformed_limit=0.5)
    raw = read([[folder / names[0]], [], [], [folder / names[1]], [folder / names[2]]], drops)
    return [row for batch in raw.interactions for row in batch.rows()], drops


def test_ratings_get_the_ids_of_films_by_their_links(tmp_path: Path) -> None:
    links = [(1, "0114709", "862"), (2, "0113497", "8844.0"), (3, "0113228", " 15602 ")]
    rated = [(7, 2, 0.5, 1260759144), (7, 1, "4.0", 1260759179), (8, 3, 5, 1)]
    found, drops = ratings_of(tmp_path, links, rated)
    assert found == [
        (7, 8844, 0.5, "rating", 1260759144000), (7, 862, 4.0, "rating", 1260759179000),
        (8, 15602, 5.0, "rating", 1000),
    ]  # fmt: skip
    assert drops.counts == {}


def test_links_and_ratings_that_are_none_are_counted_with_the_first_place(tmp_path: Path) -> None:
    links = [(1, "1", "862"), (2, "2", ""), (3, "3", "tt3"), (4, "4", "0"), (1, "1", "9"), (5, "5", "")]
    rated = [
        (7, 1, 4.5, 10), (7, 2, 4.0, 11), (7, 3, 4.0, 12), (7, 99, 4.0, 13), (8, 1, 0.0, 14), (8, 1, 5.5, 15),
        (8, 1, 3.7, 16), (8, 1, "good", 17), (8, 1, -1, 18), (8, 1, "", 19), (9, 1, 3.0, 20),
    ]  # fmt: skip
    found, drops = ratings_of(tmp_path, links, rated)
    assert found == [(7, 862, 4.5, "rating", 10000), (9, 862, 3.0, "rating", 20000)]
    assert drops.counts == {
        "link without a tmdbId": 2,
        "link whose tmdbId is no number": 2,
        "movieId linked before": 1,
        "rating that is not 0.5 to 5 in halves": 4,
        "rating of a film without a link": 3,
        "malformed line": 2,
    }
    places = {reason: first for reason, [first] in drops.first.items()}
    assert places["link without a tmdbId"] == "links.csv: movieId 2"
    assert places["link whose tmdbId is no number"] == "links.csv: movieId 3"
    assert places["movieId linked before"] == "links.csv: movieId 1"
    assert places["rating that is not 0.5 to 5 in halves"] == "ratings.csv: rating 5: user 8, movieId 1"
    assert places["rating of a film without a link"] == "ratings.csv: rating 2: user 7, movieId 2"
    assert places["malformed line"].startswith("ratings.csv:9: has an unusable rating")


def test_ratings_are_read_batch_by_batch(tmp_path: Path) -> None:
    count = 1_100_000  # lines of some 18 bytes: more than one chunk
    put(
        tmp_path,
        {"movies_metadata.csv": metadata(film(862)), "links.csv": "movieId,imdbId,tmdbId\n1,1,862\n"},
    )
    lines = "".join(f"{user},1,4.0,1260759144\n" for user in range(1, count + 1))
    (tmp_path / "ratings.csv").write_text(f"userId,movieId,rating,timestamp\n{lines}1,2,4.0,1\n")
    drops = Drops()
    groups = [
        [tmp_path / "movies_metadata.csv"],
        [],
        [],
        [tmp_path / "links.csv"],
        [tmp_path / "ratings.csv"],
    ]
    sizes = [batch.height for batch in read(groups, drops).interactions]
    assert sum(sizes) == count and len(sizes) > 1
    assert drops.first["rating of a film without a link"] == [
        "ratings.csv: rating 1,100,001: user 1, movieId 2"
    ]


# As a catalogue ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("given_folder", [True, False])
def test_a_folder_and_its_file_of_films_are_one_catalogue(tmp_path: Path, given_folder: bool) -> None:
    path = put(tmp_path, {"movies_metadata.csv": metadata(TIN, film(0, id="1997-08-20"))})
    packed = gzip.compress(table(["cast", "crew", "id"], [[[person("Ann", 0)], [], 862]]).encode())
    (tmp_path / "credits.csv.gz").write_bytes(packed)
    source = CatalogueOptions("movies", published="movies_dataset", facts=("collection",))
    found = read_catalogue(tmp_path if given_folder else path, source)
    [tin] = found.items
    assert (tin.domain, tin.item_id, tin.title, tin.year) == ("movies", "862", "Tin Boats", 1995)
    assert tin.facts[0] == "cast: Ann" and tin.facts[-1] == "collection: The Tin Boats"
    assert "original title: Bateaux d'étain" in tin.facts
    assert "movies_metadata.csv: id 1997-08-20" in found.describe()
    assert "no keywords.csv" in found.describe()
