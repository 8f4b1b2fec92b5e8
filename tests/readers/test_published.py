"""Each dataset family's own quirks, in awkward little files in its published format."""

import gzip
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from rectune.datagen.datasets import registry
from rectune.datagen.datasets.normalize import read_domain
from rectune.readers.published.movielens import split_title
from tests.datagen.frames import Frames, collected


def dataset(root: Path, name: str, files: Mapping[str, str]) -> Frames:
    for file, content in files.items():
        path = root / name / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")
    return collected(read_domain(registry.find(name), root))


def lines(*records: Any) -> str:
    return "".join(json.dumps(record) + "\n" for record in records)


def item(tables: Frames, item_id: str) -> dict[str, Any]:
    row = tables.items.row(by_predicate=pl.col("item_id") == item_id, named=True)
    return row | {"extra": json.loads(row["extra"])}


def events(tables: Frames) -> list[tuple[Any, ...]]:
    """User id, item id, value and time, by time and place."""
    items, users = tables.items.drop("domain"), tables.users.drop("domain")
    joined = tables.interactions.join(items, on="item").join(users, on="user")
    return joined.sort("timestamp", "order").select("user_id", "item_id", "value", "timestamp").rows()


# MIND -------------------------------------------------------------------------------------------------------

NEWS = (
    'N1\tsports\tfootball_nfl\tThe "Big" game\tAn abstract.\thttps://x\t[{"Label": "NFL", "Type": "O"}]\t[]\n'
    'N2\tnews\tnewsus\t"Quoted start\t\thttps://x\t\t\n'
    "N3\tnews\tnewsus\t한국 뉴스\tAbstract\thttps://x\tnot json\t[]\n"
    "N4\tnews\tnewsus\tFour\t\thttps://x\t[]\t[]\n"
)


def test_mind_histories_come_before_the_first_impression(tmp_path: Path) -> None:
    behaviours = (
        "2\tU1\t11/12/2019 12:00:05 AM\tN4 N2 N1\tN1-0 N2-0 N3-1\n"
        "1\tU1\t11/11/2019 2:14:46 PM\tN2 N1\tN3-0 N4-1\n"
        "3\tU2\t1/2/2020 12:30:00 PM\t\tN9-1 N1-1 N2-0\n"
    )
    tables = dataset(tmp_path, "mind", {"news.tsv": NEWS, "behaviors.tsv": behaviours})
    first, second, third = (
        1573481686000,
        1573516805000,
        1577968200000,
    )  # 14:46 PM is after noon, 12:00 AM is midnight
    assert events(tables) == [
        ("U1", "N2", 1.0, first), ("U1", "N1", 1.0, first), ("U1", "N4", 1.0, first),
        ("U1", "N3", 1.0, second), ("U2", "N1", 1.0, third),
    ]  # fmt: skip
    assert tables.stats["dropped"] == {"interaction with an unknown item": 1}
    assert set(tables.interactions["kind"]) == {"click"}


def test_mind_news_keeps_quotes_and_survives_broken_entities(tmp_path: Path) -> None:
    behaviours = "1\tU1\t11/11/2019 2:14:46 PM\tN1\tN2-1\n"
    tables = dataset(tmp_path, "mind", {"train/news.tsv": NEWS, "train/behaviors.tsv": behaviours})
    game = item(tables, "N1")
    assert (game["title"], game["description"]) == ('The "Big" game', "An abstract.")
    assert game["categories"] == ["sports", "football nfl"]
    assert game["extra"] == {"entities": ["NFL"]}
    assert item(tables, "N2")["title"] == '"Quoted start'
    assert item(tables, "N3")["extra"] == {}


# Amazon -----------------------------------------------------------------------------------------------------


def test_amazon_2018(tmp_path: Path) -> None:
    meta = lines(
        {"asin": "A1", "title": "Abbey &amp; Road", "category": ["Digital Music", "Rock", "x" * 80, "Pop"],
         "brand": "The\n  Beatles", "description": ["An <b>album</b>.", "Of 1969."], "price": "$5.49 - $7.00",
         "main_cat": '<img alt="Digital Music"/>'},
        {"asin": "A2", "title": "Greatest Hits", "category": [], "brand": "Queen", "price": ""},
        {"asin": "A3", "title": "Greatest Hits", "category": ["Digital Music"], "brand": "ABBA"},
        {"asin": "A4", "title": "var aPageStart = (new Date()).getTime();", "category": []},
    )  # fmt: skip
    reviews = lines(
        {"overall": 5.0, "reviewerID": "R1", "asin": "A1", "unixReviewTime": 1509840000, "verified": True},
        {"overall": 4.0, "reviewerID": "R1", "asin": "A2", "unixReviewTime": 1509840000, "vote": "1,024"},
        {"overall": None, "reviewerID": "R2", "asin": "A3", "unixReviewTime": None},
        {"overall": 1.0, "asin": "A1"},
        {"overall": 1.0, "reviewerID": "R2", "asin": "A4"},
    )
    files = {"meta_Digital_Music.json": meta, "Digital_Music.json": reviews}
    tables = dataset(tmp_path, "amazon_music", files)
    album = item(tables, "A1")
    assert (album["title"], album["categories"]) == ("Abbey & Road", ["Rock", "Pop"])
    assert album["description"] == "An album. Of 1969."
    assert album["extra"] == {"brand": "The Beatles", "group": "Digital Music", "price": 5.49}
    assert item(tables, "A2")["title"] == "Greatest Hits (Queen)"
    assert item(tables, "A2")["facts"] == ["artist: Queen"]
    assert item(tables, "A3")["categories"] == ["Digital Music"]
    assert events(tables) == [("R1", "A1", 5.0, 1509840000000), ("R1", "A2", 4.0, 1509840000000)]
    assert tables.stats["dropped"] == {
        "item without a title": 1,
        "interaction without a user or an item": 1,
        "interaction with an unknown item": 1,
        "interaction without a time": 1,
    }


def test_amazon_2023_counts_in_milliseconds_by_parent_and_over_several_groups(tmp_path: Path) -> None:
    product = {"parent_asin": "P1", "title": "Lamp", "main_category": "Amazon Home", "price": "from 1,249.00",
               "store": None, "details": '{"Brand": "Philips", "Color": "Red"}', "features": ["A lamp"],
               "categories": "['Home & Kitchen', 'Lamps']", "description": None}  # fmt: skip
    other: dict[str, Any] = {
        "parent_asin": "P2",
        "title": "Lamp",
        "categories": [],
        "details": "{broken",
        "price": None,
    }
    review = {"rating": 4.0, "asin": "C1", "parent_asin": "P1", "user_id": "U1", "timestamp": 1558404207398}
    folder = tmp_path / "amazon"
    folder.mkdir()
    (folder / "B.jsonl.gz").write_bytes(gzip.compress(lines(review | {"parent_asin": "P2"}).encode()))
    files = {"meta_A.jsonl": lines(product, product), "meta_B.jsonl": lines(other), "A.jsonl": lines(review)}
    tables = dataset(tmp_path, "amazon", files)
    assert events(tables) == [("U1", "P1", 4.0, 1558404207398), ("U1", "P2", 4.0, 1558404207398)]
    lamp = item(tables, "P1")
    assert (lamp["title"], item(tables, "P2")["title"]) == ("Lamp (Philips)", "Lamp")
    assert (lamp["categories"], lamp["description"]) == (["Lamps"], "A lamp")
    assert lamp["extra"] == {"brand": "Philips", "group": "Amazon Home", "price": 1249.0}
    assert tables.stats["dropped"] == {"item id seen before": 1}


# Yelp -------------------------------------------------------------------------------------------------------


def test_yelp_branches_are_told_apart_and_nulls_are_read_over(tmp_path: Path) -> None:
    branch = {"business_id": "b1", "name": "Joe's", "city": "New York", "state": "NY",
              "address": "7 Carmine St", "categories": "Pizza, Italian,  Restaurants",
              "attributes": {"RestaurantsPriceRange2": "2"}}  # fmt: skip
    bare = {"business_id": "b2", "name": "Joe's", "city": "Chicago", "categories": None, "attributes": None}
    odd = {"business_id": "b3", "name": "Odd", "attributes": {"RestaurantsPriceRange2": "None"}}
    reviews = lines(
        {"user_id": "u", "business_id": "b1", "stars": 4.0, "date": "2021-03-21 06:16:07", "text": "a\nb"},
        {"user_id": "u", "business_id": "b2", "stars": 2.0, "date": "some day"},
    )
    files = {"business": lines(branch, bare, odd), "review": reviews}
    named = {f"yelp_academic_dataset_{name}.json": text for name, text in files.items()}
    tables = dataset(tmp_path, "yelp", named)
    joes = item(tables, "b1")
    assert (joes["title"], item(tables, "b2")["title"]) == ("Joe's (New York)", "Joe's (Chicago)")
    assert joes["categories"] == ["Pizza", "Italian", "Restaurants"]
    assert joes["description"] == "in New York, NY"
    assert joes["extra"] == {"city": "New York", "state": "NY", "address": "7 Carmine St", "price": 2}
    assert (item(tables, "b2")["categories"], item(tables, "b3")["extra"]) == ([], {})
    assert events(tables) == [("u", "b1", 4.0, 1616307367000)]
    assert tables.stats["dropped"] == {"interaction without a time": 1}


# Anime ------------------------------------------------------------------------------------------------------


def test_anime_watched_but_not_rated_has_no_value(tmp_path: Path) -> None:
    anime = (
        "anime_id,name,genre,type,episodes,rating,members\n"
        '1,Gintama&#039;,"Action, Comedy",TV,51,9.16,1\n2,Saru,,Movie,1,,2\n3,Saru,Kids,TV,Unknown,,2\n'
    )
    ratings = "user_id,anime_id,rating\n1,1,-1\n1,2,10\n"
    tables = dataset(tmp_path, "anime", {"anime.csv": anime, "rating.csv": ratings})
    assert events(tables) == [("1", "1", None, None), ("1", "2", 10.0, None)]
    assert (item(tables, "1")["title"], item(tables, "1")["categories"]) == ("Gintama'", ["Action", "Comedy"])
    assert (item(tables, "2")["title"], item(tables, "3")["title"]) == ("Saru (Movie)", "Saru (TV)")
    assert (item(tables, "2")["categories"], item(tables, "3")["extra"]) == ([], {"type": "TV"})


# Books ------------------------------------------------------------------------------------------------------


def test_books_zero_means_none_and_mojibake_is_mended(tmp_path: Path) -> None:
    head = "ISBN,Book-Title,Book-Author,Year-Of-Publication,Publisher,Image-URL-S,Image-URL-M,Image-URL-L\n"
    books = head + (
        "01X,FÃ?Â¼r dich &amp; mich,Emily BrontÃ«,0,W. W. Norton &amp; Company,a,b,c\n"
        "02,Emma,Jane Austen,1815,Murray,a,b,c\n"
        "03,Emma,JANE AUSTEN,1999,Penguin,a,b,c\n04,Emma,F. W. Kenyon,,,a,b,c\n"
    )  # fmt: skip
    books += "".join(f"1{i},Filler {i},Someone,2000,House,a,b,c\n" for i in range(100))
    books += '05,"Shifted\\"";Someone",2000,DK Publishing,http://a,b,c,\n'  # as a few published lines are
    ratings = "User-ID,ISBN,Book-Rating\n276,01X,0\n276,02,7\n9,03,10\n"
    users = 'User-ID,Location,Age\n276,"seoul, n/a, korea",23.0\n9,"n/a, n/a, n/a",239\n'
    files = {"Books.csv": books, "Ratings.csv": ratings, "Users.csv": users}
    tables = dataset(tmp_path, "books", files)
    book = item(tables, "01X")
    assert (book["title"], book["facts"], book["year"]) == ("Für dich & mich", ["author: Emily Brontë"], None)
    assert book["extra"] == {"author": "Emily Brontë", "publisher": "W. W. Norton & Company"}
    assert [item(tables, isbn)["title"] for isbn in ("02", "03", "04")] == [
        "Emma (Jane Austen) (1815)", "Emma (JANE AUSTEN) (1999)", "Emma (F. W. Kenyon)",
    ]  # fmt: skip
    assert events(tables) == [("276", "01X", None, None), ("276", "02", 7.0, None), ("9", "03", 10.0, None)]
    about = [json.loads(text) for text in tables.users["attributes"]]
    assert about == [{"location": "seoul, korea", "age": 23}, {}]
    assert tables.stats["dropped"] == {"malformed line": 1}
    (tmp_path / "books" / "Users.csv").unlink()
    assert set(dataset(tmp_path, "books", {}).users["attributes"]) == {"{}"}


# MovieLens --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("published", "title", "year"),
    [
        ("Godfather: Part II, The (1974)", "The Godfather: Part II", 1974),
        ("Postman, The (Postino, Il) (1994)", "The Postman (Il Postino)", 1994),
        ("Avventura, L' (Adventure, The) (1960)", "L'Avventura (The Adventure)", 1960),
        ("Human Centipede II (Full Sequence), The (2011)", "The Human Centipede II (Full Sequence)", 2011),
        ("Rocky VI (1986) ", "Rocky VI", 1986),
        ("Big Bang Theory, The (2007-)", "The Big Bang Theory", 2007),
        ("Fawlty Towers (1975-1979)", "Fawlty Towers", 1975),
        ("Women of '69, Unboxed", "Women of '69, Unboxed", None),
        ("2001: A Space Odyssey (1968)", "2001: A Space Odyssey", 1968),
        ("1984 (Nineteen Eighty-Four) (1984)", "1984 (Nineteen Eighty-Four)", 1984),
        ("", "", None),
    ],
)
def test_movielens_titles(published: str, title: str, year: int | None) -> None:
    assert split_title(published) == (title, year)


def test_movielens_genres_and_films_of_one_name(tmp_path: Path) -> None:
    movies = "movieId,title,genres\n1,Emma (1996),Comedy|Romance\n2,Emma (2009),(no genres listed)\n"
    ratings = "userId,movieId,rating,timestamp\n1,1,0.5,1000000012\n"
    tables = dataset(tmp_path, "movielens", {"movies.csv": movies, "ratings.csv": ratings})
    assert tables.items.select("title", "year").rows() == [("Emma (1996)", 1996), ("Emma (2009)", 2009)]
    assert tables.items["categories"].to_list() == [["Comedy", "Romance"], []]


# Steam ------------------------------------------------------------------------------------------------------


def test_steam_literals_and_hours(tmp_path: Path) -> None:
    games = (
        "{u'id': u'10', u'title': u'Half-Life\\xb2', u'app_name': u'HL', u'genres': [u'Action'], "
        "u'price': 9.99, u'tags': [u'FPS', u'Action', u'a', u'b', u'c', u'd', u'e'], "
        "u'release_date': u'Nov 16, 2004', u'developer': u'Valve', u'publisher': u'Valve'}\n"
        "{u'id': u'20', u'app_name': u'Nameless', u'price': u'Free to Play', u'release_date': u'Soon..'}\n"
        "{u'title': u'No id', u'genres': [u'RPG']}\n"
    )
    entry = {"item_id": "10", "item_name": "x", "playtime_forever": 90, "playtime_2weeks": 0}
    library = {
        "user_id": "js41637",
        "items_count": 3,
        "items": [entry, entry | {"item_id": "20", "playtime_forever": 0}],
    }
    gone = {"user_id": "other", "items": [entry | {"item_id": "777"}]}
    records = (library, library, gone, {"user_id": "empty", "items": []}, {"user_id": "odd", "items": None})
    files = {
        "steam_games.json": games,
        "australian_users_items.json": "".join(f"{record!r}\n" for record in records),
    }
    tables = dataset(tmp_path, "steam", files)
    assert events(tables) == [("js41637", "10", 1.5, None), ("js41637", "20", 0.0, None)]
    game = item(tables, "10")
    assert (game["title"], game["year"]) == ("Half-Life²", 2004)
    assert game["categories"] == ["Action", "FPS", "a", "b", "c", "d"]
    assert game["extra"] == {"developer": "Valve", "publisher": "Valve", "price": 9.99}
    assert (item(tables, "20")["title"], item(tables, "20")["year"]) == ("Nameless", None)
    assert tables.stats["dropped"] == {
        "item without an id": 1,
        "interaction with an unknown item": 1,
        "repeated interaction": 2,
    }
