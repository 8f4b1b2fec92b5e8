"""The editions that are delimited files: MovieLens, anime, books and steam-200k, in awkward little files."""

import gzip
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from rectune.core.errors import UserError
from rectune.readers.drops import Drops
from rectune.readers.published import anime, books, movielens, steam
from rectune.readers.raw import Raw, interaction_columns

Reader = Callable[[Sequence[Sequence[Path]], Drops], Raw]


def read(
    reader: Reader, folder: Path, files: Mapping[str, str | bytes | None], limit: float = 0.5
) -> tuple[Raw, list[tuple[Any, ...]]]:
    """What the reader makes of one file a pattern (None: not there), and all interactions as rows."""
    groups = []
    for name, content in files.items():
        if content is not None:
            (folder / name).write_bytes(content.encode() if isinstance(content, str) else content)
        groups.append([] if content is None else [folder / name])
    raw = reader(groups, Drops(malformed_limit=limit))
    batches = list(raw.interactions)
    ids = ("user_id", "item_id")  # may be numbers
    texts = [batch.with_columns(pl.col(*ids).cast(pl.String)) for batch in batches]
    assert all(dict(batch.schema) == interaction_columns() for batch in texts)
    return raw, [row for batch in texts for row in batch.rows()]


def item(raw: Raw, item_id: str) -> dict[str, Any]:
    row = raw.items.row(by_predicate=pl.col("item_id") == item_id, named=True)
    return row | {"extra": json.loads(row["extra"])}


def users(raw: Raw) -> dict[str, Any]:
    return {user: json.loads(attributes) for user, attributes in raw.users.rows()}


# MovieLens --------------------------------------------------------------------------------------------------


def test_movielens_csv(tmp_path: Path) -> None:
    movies = (
        'movieId,title,genres\n1,"Postman, The (Postino, Il) (1994)",Comedy|Drama\n'
        '2,"""Great"" Cats, The (1998)",(no genres listed)\n3,Untitled,\n'
    )
    ratings = "userId,movieId,rating,timestamp\n1,1,0.5,12\n1,2,five,13\n2,2,4.5,1460000000\n"
    raw, rows = read(movielens.read, tmp_path, {"movies.csv": movies, "ratings.csv": ratings})
    assert rows == [("1", "1", 0.5, "rating", 12000), ("2", "2", 4.5, "rating", 1460000000000)]
    assert raw.items.select("title", "year").rows() == [
        ("The Postman (Il Postino)", 1994), ('The "Great" Cats', 1998), ("Untitled", None),
    ]  # fmt: skip
    assert raw.items["categories"].to_list() == [["Comedy", "Drama"], [], []]
    assert raw.drops.first == {"malformed line": ["ratings.csv:3: has an unusable rating"]}


def test_movielens_dat_of_1m(tmp_path: Path) -> None:
    movies = (
        "1::Star Wars: Episode IV - A New Hope (1977)::Action|Sci-Fi\n2::Misérables, Les (1995)::Drama\n"
        '3::"Fast" Food (1989)::Comedy\n'
    )
    files: dict[str, str | bytes | None] = {
        "movies.dat": movies.encode("latin-1"),
        "ratings.dat": "1::1::5::978300760\n6040::2::3::956703954\n1::3\n1::1::4::9::9\n",
        "users.dat": "1::F::1::10::48067\n2::M::56::16::70072\n3::M::25::0::55117\n",
    }
    raw, rows = read(movielens.read_dat, tmp_path, files)
    assert rows == [("1", "1", 5.0, "rating", 978300760000), ("6040", "2", 3.0, "rating", 956703954000)]
    assert raw.items["title"].to_list() == [
        "Star Wars: Episode IV - A New Hope", "Les Misérables", '"Fast" Food',
    ]  # fmt: skip
    assert raw.items["categories"].to_list() == [["Action", "Sci-Fi"], ["Drama"], ["Comedy"]]
    assert users(raw) == {
        "1": {"gender": "female", "age": "under 18", "occupation": "school student"},
        "2": {"gender": "male", "age": "56 or over", "occupation": "self-employed"},
        "3": {"gender": "male", "age": "25-34"},
    }
    assert raw.drops.counts == {"malformed line": 2}
    assert raw.drops.first == {"malformed line": ["ratings.dat:3: has 2 of 4 fields"]}


def test_movielens_dat_of_10m_is_utf8_with_halves_and_without_users(tmp_path: Path) -> None:
    files = {
        "movies.dat": "1::Misérables, Les (1995)::Drama\n",
        "ratings.dat": "1::1::3.5::838985046\n",
        "users.dat": None,
    }
    raw, rows = read(movielens.read_dat, tmp_path, files)
    assert (rows, raw.items["title"].to_list()) == (
        [("1", "1", 3.5, "rating", 838985046000)],
        ["Les Misérables"],
    )
    assert raw.users.is_empty()


def u_item(number: int, title: str, *flags: int) -> str:
    genres = "|".join("1" if place in flags else "0" for place in range(19))
    return f"{number}|{title}|01-Jan-1995||http://us.imdb.com/M/title-exact?x|{genres}\n"


def test_movielens_100k(tmp_path: Path) -> None:
    films = [
        u_item(1, "Toy Story (1995)", 3, 4, 5),
        u_item(2, "Café, The (1995)", 18),
        u_item(3, "unknown", 0),
    ]
    files: dict[str, str | bytes | None] = {
        "u.data": "196\t1\t3\t881250949\n22\t2\t1\t878887116\n22\t3\t\t878887116\n",
        "u.item": "".join(films).encode("latin-1"),
        "u.user": "196|49|M|writer|55105\n22|25|F|other|40206\n",
        "u.genre": None,
    }
    raw, rows = read(movielens.read_100k, tmp_path, files)
    assert rows == [("196", "1", 3.0, "rating", 881250949000), ("22", "2", 1.0, "rating", 878887116000)]
    assert raw.items.select("title", "year", "categories").rows() == [
        ("Toy Story", 1995, ["Animation", "Children's", "Comedy"]), ("The Café", 1995, ["Western"]),
        ("unknown", None, []),
    ]  # fmt: skip
    assert users(raw) == {
        "196": {"gender": "male", "age": "49", "occupation": "writer"},
        "22": {"gender": "female", "age": "25"},
    }
    assert raw.drops.first == {"malformed line": ["u.data:3: has no rating"]}


def test_movielens_100k_takes_the_names_of_genres_from_the_file(tmp_path: Path) -> None:
    names = "".join(f"genre {place}|{place}\n" for place in reversed(range(19)))
    files = {
        "u.data": "1\t1\t3\t8\n",
        "u.item": u_item(1, "Film (1995)", 1, 18),
        "u.user": None,
        "u.genre": names + "\n",
    }
    raw, _ = read(movielens.read_100k, tmp_path, files)
    assert raw.items["categories"].to_list() == [["genre 1", "genre 18"]]


# Anime ------------------------------------------------------------------------------------------------------


def test_anime_of_2016(tmp_path: Path) -> None:
    titles = (
        "anime_id,name,genre,type,episodes,rating,members\r\n"
        '1,"Gintama&#039;, ""again""","Action, Comedy",TV,Unknown,9.1,1\r\n'
    )
    ratings = "user_id,anime_id,rating\n1,1,-1\n1,1,10\n"
    raw, rows = read(anime.read, tmp_path, {"anime.csv": titles, "rating.csv": ratings})
    assert rows == [("1", "1", None, "rating", None), ("1", "1", 10.0, "rating", None)]
    assert (item(raw, "1")["title"], item(raw, "1")["extra"]) == ('Gintama&#039;, "again"', {"type": "TV"})


HEAD_2020 = (
    "MAL_ID,Name,Score,Genres,English name,Japanese name,Type,Episodes,Aired,Premiered,Studios,"
    "Source,Score-10\n"
)
TITLES_2020 = HEAD_2020 + (
    '1,Cowboy Bebop,8.78,"Action, Sci-Fi",Cowboy Bebop,カウボーイビバップ,TV,26,'
    '"Apr 3, 1998 to Apr 24, 1999",Spring 1998,Sunrise,Original,229170.0\n'
    "2,Shingeki no Kyojin,Unknown,Drama,Attack on "
    "Titan,進撃の巨人,Movie,1,2013 to ?,Unknown,Unknown,Manga,Unknown\n"
    "3,Unknown "
    "Planet,Unknown,Unknown,Unknown,Unknown,Unknown,Unknown,Unknown,Unknown,Unknown,Unknown,Unknown\n"
)
SYNOPSES_2020 = (
    "MAL_ID,Name,Score,Genres,sypnopsis\n"
    '1,Cowboy Bebop,8.78,"Action, Sci-Fi","In the year 2071,\nhumanity ""lives"". [Written by MAL Rewrite]"\n'
    "2,Shingeki no Kyojin,Unknown,Drama,No synopsis information has been added to this title.\n"
)


def test_anime_of_2020(tmp_path: Path) -> None:
    ratings = "user_id,anime_id,rating\n0,1,9\n0,2,5\n310058,3,10\n"
    files = {
        "anime.csv": TITLES_2020,
        "anime_with_synopsis.csv": SYNOPSES_2020,
        "rating_complete.csv": ratings,
    }
    raw, rows = read(anime.read_2020, tmp_path, files)
    assert rows == [
        (user, title, value, "rating", None)
        for user, title, value in (("0", "1", 9), ("0", "2", 5), ("310058", "3", 10))
    ]
    bebop, titan, planet = (item(raw, number) for number in "123")
    assert bebop["description"] == 'In the year 2071,\nhumanity "lives".'
    assert bebop["extra"] == {"type": "TV", "episodes": 26, "studio": "Sunrise", "source": "Original"}
    assert (bebop["year"], titan["year"], planet["year"]) == (1998, 2013, None)
    assert titan["extra"] == {"type": "Movie", "episodes": 1, "source": "Manga", "english": "Attack on Titan"}
    assert (titan["description"], planet["description"]) == ("", "")
    assert (planet["title"], planet["extra"], planet["marks"]) == ("Unknown Planet", {}, [None, None, None])
    assert [name for name in planet["categories"] if name] == []


def test_anime_of_2020_without_synopses(tmp_path: Path) -> None:
    files = {
        "anime.csv": TITLES_2020,
        "anime_with_synopsis.csv": None,
        "rating_complete.csv": "user_id,anime_id,rating\n0,1,9\n",
    }
    raw, _ = read(anime.read_2020, tmp_path, files)
    assert raw.items["description"].to_list() == ["", "", ""]


MERGED_HEAD = (
    "MAL_ID,Name,Score,Genres,English name,Japanese name,Type,Episodes,Aired,Premiered,Producers,Licensors,"
    "Studios,Source,Duration,Rating,Ranked,Popularity,Members,Favorites,sypnopsis\n"
)
MERGED_ROWS = (
    '1,Cowboy Bebop,8.78,"Action, Sci-Fi",Cowboy Bebop,カウボーイ,TV,26,"Apr 3, 1998 to Apr 24, 1999",'
    'Spring 1998,"Bandai Visual, Victor",Funimation,Sunrise,Original,24 min.,R,28.0,39,1251960,61971,'
    '"In the year 2071,\nhumanity ""lives"". [Written by MAL Rewrite]"\n'
    "2,Untold,Unknown,Unknown,Told,Unknown,Movie,Unknown,2013 to ?,Unknown,Unknown,Unknown,Unknown,Manga,"
    "Unknown,Unknown,Unknown,1,1,1,No synopsis information has been added to this title.\n"
)
MERGED_RATINGS = "user_id,anime_id,rating\n0,1,9\n0,2,5\n"


@pytest.mark.parametrize(("number", "synopsis"), [("MAL_ID", "sypnopsis"), ("anime_id", "synopsis")])
def test_anime_of_2020_merged(tmp_path: Path, number: str, synopsis: str) -> None:
    head = MERGED_HEAD.replace("MAL_ID", number).replace("sypnopsis", synopsis)
    files = {"pre_merged_anime.csv": head + MERGED_ROWS, "rating_complete.csv": MERGED_RATINGS}
    raw, rows = read(anime.read_2020_merged, tmp_path, files)
    assert rows == [("0", "1", 9.0, "rating", None), ("0", "2", 5.0, "rating", None)]
    bebop, untold = item(raw, "1"), item(raw, "2")
    assert bebop["description"] == 'In the year 2071,\nhumanity "lives".'
    assert bebop["facts"] == ["producers: Bandai Visual, Victor", "studios: Sunrise"]
    assert (bebop["year"], bebop["categories"]) == (1998, ["Action", " Sci-Fi"])
    assert bebop["extra"] == {"type": "TV", "episodes": 26, "source": "Original"}
    assert (untold["title"], untold["description"], untold["facts"]) == ("Untold", "", [])
    assert untold["extra"] == {"type": "Movie", "source": "Manga", "english": "Told"}
    titles = list(anime.items(tmp_path / "pre_merged_anime.csv", Drops(malformed_limit=0.5)))
    assert [one["description"] for one in titles] == raw.items["description"].to_list()


@pytest.mark.parametrize(
    ("wrong", "said", "hint"),
    [
        (("MAL_ID", "number"), "has no column MAL_ID or anime_id", "found: number, Name"),
        (("Name,", "Name_x,"), "has no column Name, did you mean Name_x?", "rename the column"),
        (("Producers", "Prod."), "has no column Producers", "found: MAL_ID"),
        ((",sypnopsis", ",plot"), "has no column sypnopsis or synopsis or Synopsis", "rename the column"),
        (("Score", "anime_id"), "has the columns MAL_ID and anime_id, which mean the same", "take one"),
    ],
)
def test_a_mistake_in_the_columns_of_the_merged_form_is_refused(
    tmp_path: Path, wrong: tuple[str, str], said: str, hint: str
) -> None:
    head = MERGED_HEAD.replace(*wrong)
    files = {"pre_merged_anime.csv": head + MERGED_ROWS, "rating_complete.csv": MERGED_RATINGS}
    with pytest.raises(UserError) as refused:
        read(anime.read_2020_merged, tmp_path, files)
    assert said in str(refused.value) and hint in str(refused.value)
    assert str(tmp_path / "pre_merged_anime.csv:1") in str(refused.value)


# Books ------------------------------------------------------------------------------------------------------

KAGGLE_BOOKS = (
    "ISBN,Book-Title,Book-Author,Year-Of-Publication,Publisher,Image-URL-S,Image-URL-M,Image-URL-L\n"
    "01X,FÃ?Â¼r dich &amp; mich,Emily BrontÃ«,0,W. W. Norton &amp; Company,a,b,c\n"
    '02,"Emma, or ""Clueless""",Unknown,2050,,a,b,c\n'
    '03,"Shifted\\"";Someone",2000,DK Publishing,http://a,b,c,\n'
)


def test_books_of_kaggle(tmp_path: Path) -> None:
    files = {
        "Books.csv": KAGGLE_BOOKS,
        "Ratings.csv": "User-ID,ISBN,Book-Rating\n276,01X,0\n276,02,7\n",
        "Users.csv": 'User-ID,Location,Age\n276,"seoul, n/a, korea",23.0\n277,"n/a, n/a, n/a",239\n'
        '278,"lima, peru",\n',
    }
    raw, rows = read(books.read, tmp_path, files)
    assert rows == [("276", "01X", None, "rating", None), ("276", "02", 7.0, "rating", None)]
    book, emma = item(raw, "01X"), item(raw, "02")
    assert (book["title"], book["facts"], book["year"]) == ("Für dich & mich", ["author: Emily Brontë"], None)
    assert book["extra"] == {"author": "Emily Brontë", "publisher": "W. W. Norton & Company"}
    assert (emma["title"], emma["description"], emma["year"], emma["extra"]) == (
        'Emma, or "Clueless"',
        None,
        None,
        {},
    )
    assert users(raw) == {
        "276": {"location": "seoul, korea", "age": 23},
        "277": {},
        "278": {"location": "lima, peru"},
    }
    assert raw.drops.first == {"malformed line": ["Books.csv:4: has an unusable Year-Of-Publication"]}


ORIGINAL_BOOKS = (
    '"ISBN";"Book-Title";"Book-Author";"Year-Of-Publication";"Publisher";"Image-URL-S";"Image-URL-M";"Image-URL-L"\r\n'
    '"01X";"Peterman Rides Again; the \\"Real\\" One";"Jos\xe9 Saramago";"1999";"S &amp; S";"a";"b";"c"\r\n'
    '"02";"Creating the X-Men\\";Michael Teitelbaum";"2000";"DK Publishing";"a";"b";"c"\r\n'
    '"03";"F\xc3\xbcr dich";"Anon";"0";"P";"a";"b";"c"\r\n'
    '"04";"Nobody";;"1999";;"a";"b";"c"\r\n'
    '"05";"Two";"Extra";"1999";"P";"a";"b";"c";"d"\r\n'
    '"06";"Never closed;"Anon";"1999";"P";"a";"b";"c"\r\n'
    '"07";"Last";"Anon";"1378";"P";"a";"b";"c"\r\n'
)


def test_books_as_first_published(tmp_path: Path) -> None:
    people = (
        '"User-ID";"Location";"Age"\r\n"1";"nyc, new york, usa";NULL\r\n"2";"k\xf6ln, n/a, germany";"18"\r\n'
        '"3";"cernusco s\\\r\n, milan, italy";NULL\r\n"4";"rome, \\"n/a\\", italy";"61"\r\n"5";"x";"old"\r\n'
    )
    rated = (
        '"User-ID";"ISBN";"Book-Rating"\r\n"1";"01X";"0"\r\n"2";"\\"03\\"";"6"\r\n'
        '"2";"07";"5"\r\n"2";"07";\r\n'
    )
    files: dict[str, str | bytes | None] = {
        "BX-Books.csv": ORIGINAL_BOOKS.encode("latin-1"),
        "BX-Book-Ratings.csv": rated,
        "BX-Users.csv": people.encode("latin-1"),
    }
    raw, rows = read(books.read_original, tmp_path, files)
    assert rows == [
        ("1", "01X", None, "rating", None), ("2", '"03"', 6.0, "rating", None),
        ("2", "07", 5.0, "rating", None),
    ]  # fmt: skip
    assert raw.items.select("item_id", "title", "year").rows() == [
        ("01X", 'Peterman Rides Again; the "Real" One', 1999),
        ("03", "Für dich", None),
        ("04", "Nobody", 1999),
        ("07", "Last", None),
    ]
    assert item(raw, "01X")["extra"] == {"author": "José Saramago", "publisher": "S & S"}
    assert {user: about.get("age") for user, about in users(raw).items()} == {
        "1": None,
        "2": 18,
        "3": None,
        "4": 61,
    }
    assert users(raw)["2"]["location"] == "köln, germany"
    assert users(raw)["3"]["location"] == "cernusco s, milan, italy"
    assert raw.drops.counts == {"malformed line": 3 + 1 + 1}
    assert raw.drops.first["malformed line"][0].startswith("BX-Books.csv:3: has 7 of 8 fields")


def test_too_many_broken_lines_stop_the_reading(tmp_path: Path) -> None:
    files = {
        "Books.csv": KAGGLE_BOOKS,
        "Ratings.csv": "User-ID,ISBN,Book-Rating\n1,01X,0\n",
        "Users.csv": None,
    }
    with pytest.raises(UserError, match="1 of 3 lines are malformed") as caught:
        read(books.read, tmp_path, files, limit=0.3)
    assert caught.value.where == f"{tmp_path / 'Books.csv'}:4"


# Steam ------------------------------------------------------------------------------------------------------

PLAYS = (
    '151603712,"The Elder Scrolls V Skyrim",purchase,1.0,0\n'
    '151603712,"The Elder Scrolls V Skyrim",play,273.0,0\n'
    '59945701,"Warhammer 40,000 Dawn of War II",play,0.1,0\n'
    '59945701,"Warhammer 40,000 Dawn of War II",play,0.1,0\n'
    "5250,Alien Swarm,refund,1.0,0\n5250,Dota 2,purchase,1.0,0\n"
)


def test_steam_200k(tmp_path: Path) -> None:
    raw, rows = read(steam.read_200k, tmp_path, {"steam-200k.csv": PLAYS})
    skyrim, warhammer = "The Elder Scrolls V Skyrim", "Warhammer 40,000 Dawn of War II"
    played = ("59945701", warhammer, pytest.approx(0.1), "play", None)
    assert rows == [
        ("151603712", skyrim, None, "purchase", None),
        ("151603712", skyrim, 273.0, "play", None),
        played,
        played,  # a repeated line is left to whoever cleans the tables
        ("5250", "Dota 2", None, "purchase", None),
    ]
    assert raw.items.select("item_id", "title").rows() == [
        (name, name) for name in (skyrim, warhammer, "Dota 2")
    ]
    assert raw.drops.counts == {"malformed line": 1}
    assert raw.drops.first == {"malformed line": ["steam-200k.csv:5: has an unusable kind"]}


def test_steam_libraries_in_batches(tmp_path: Path) -> None:
    owned = [{"item_id": str(number), "playtime_forever": 60 * number} for number in range(3)]
    libraries = "".join(f"{ {'user_id': f'u{number}', 'items': owned}!r}\n" for number in range(2))
    games = "{u'id': u'1', u'title': u'Half-Life\\xb2', u'release_date': u'Nov 16, 2004'}\n"
    raw, rows = read(
        steam.read, tmp_path, {"steam_games.json": games, "australian_users_items.json": libraries}
    )
    assert rows == [
        (f"u{user}", str(game), float(game), "play", None) for user in range(2) for game in range(3)
    ]
    assert (item(raw, "1")["title"], item(raw, "1")["year"]) == ("Half-Life²", 2004)


# Packed -----------------------------------------------------------------------------------------------------


def test_packed_files_are_read_and_a_truncated_one_is_an_error(tmp_path: Path) -> None:
    packed = gzip.compress(PLAYS.encode())
    assert len(read(steam.read_200k, tmp_path, {"steam-200k.csv.gz": packed})[1]) == 5
    with pytest.raises(UserError, match="cannot be read") as caught:
        read(steam.read_200k, tmp_path, {"steam-200k.csv.gz": packed[:-10]})
    assert caught.value.where == str(tmp_path / "steam-200k.csv.gz")
