"""What all datasets go through: titles told apart, what is dropped and counted, malformed lines, the order of
rows.
"""

from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rectune.core.errors import UserError
from rectune.core.tables import interaction_schema, item_schema, user_schema
from rectune.datagen.datasets import registry
from rectune.datagen.datasets.normalize import read_domain
from rectune.datagen.datasets.unique_titles import tell_apart
from tests.datagen.frames import Frames, collected

MOVIES = "movieId,title,genres\n1,Toy Story (1995),Animation|Comedy\n2,Heat (1995),Crime\n"
RATINGS = "userId,movieId,rating,timestamp\n7,1,4.0,1000000100\n8,2,3.5,1000000200\n"


def movielens(root: Path, movies: str = MOVIES, ratings: str = RATINGS, malformed: float = 0.01) -> Frames:
    folder = root / "movielens"
    folder.mkdir(exist_ok=True)
    (folder / "movies.csv").write_text(movies, encoding="utf-8")
    (folder / "ratings.csv").write_text(ratings, encoding="utf-8")
    return collected(read_domain(registry.find("movielens"), root, malformed))


# Titles told apart ------------------------------------------------------------------------------------------


def test_the_first_mark_that_differs_tells_titles_apart() -> None:
    titles = ["Emma", "Heat", "emma", "Starbucks", "Starbucks", "Starbucks", "It", "It"]
    marks = [
        ["1996"],
        ["1995"],
        ["2009"],
        ["Seoul", "1 A St"],
        ["Seoul", "2 B St"],
        ["Busan", "3 C St"],
        ["King"],
        ["KING"],
    ]
    assert tell_apart(titles, marks) == [
        "Emma (1996)", "Heat", "emma (2009)",
        "Starbucks (Seoul) (1 A St)", "Starbucks (Seoul) (2 B St)", "Starbucks (Busan)",
        "It", "It (2)",
    ]  # fmt: skip


def test_one_unmarked_title_keeps_its_name() -> None:
    assert tell_apart(["Emma", "Emma"], [None, ["1996"]]) == ["Emma", "Emma (1996)"]


@given(
    st.lists(st.tuples(st.sampled_from(["A", "a", "A (2)", "A (x)", "B"]), st.sampled_from([None, "x", "2"])))
)
def test_titles_always_end_up_different(pairs: list[tuple[str, str | None]]) -> None:
    told = tell_apart([title for title, _ in pairs], [[mark] for _, mark in pairs])
    assert len({title.casefold() for title in told}) == len(pairs)
    assert all(new.startswith(old) for new, (old, _) in zip(told, pairs, strict=True))


# What is dropped, and counted -------------------------------------------------------------------------------


def test_tables_have_the_schemas_and_dense_codes(tmp_path: Path) -> None:
    items, users, interactions, stats = movielens(tmp_path)
    assert items.schema == pl.Schema(item_schema())
    assert users.schema == pl.Schema(user_schema())
    assert interactions.schema == pl.Schema(interaction_schema())
    assert items["item"].to_list() == users["user"].to_list() == [0, 1]
    assert users["user_id"].to_list() == ["7", "8"]
    assert interactions.select("user", "item", "value", "timestamp").rows() == [
        (0, 0, 4.0, 1000000100000),
        (1, 1, 3.5, 1000000200000),
    ]
    assert set(items["domain"]) == {"movies"}
    assert (stats["rows_in"], stats["rows_out"], stats["dropped"]) == (2, 2, {})


def test_each_loss_is_counted_under_its_reason(tmp_path: Path) -> None:
    movies = MOVIES + "3,,Drama\n4,<b></b>,Drama\n1,Toy Story again (1999),Drama\n"
    ratings = RATINGS + "7,1,4.0,1000000100\n7,1,4.0,1000000101\n7,99,1.0,1000000005\n8,3,1.0,1000000005\n"
    items, _, interactions, stats = movielens(tmp_path, movies, ratings)
    assert items["title"].to_list() == ["Toy Story", "Heat"]
    assert sorted(interactions["order"]) == [0, 1, 3]  # another time makes another interaction
    assert stats["dropped"] == {
        "item id seen before": 1,
        "item without a title": 2,
        "interaction with an unknown item": 2,
        "repeated interaction": 1,
    }
    assert stats["rows_in"] - stats["rows_out"] == 3


def test_repeats_without_value_or_time_are_repeats_too(tmp_path: Path) -> None:
    (tmp_path / "anime").mkdir()
    (tmp_path / "anime" / "anime.csv").write_text(
        "anime_id,name,genre,type,episodes,rating,members\n1,A,,TV,1,,\n"
    )
    (tmp_path / "anime" / "rating.csv").write_text("user_id,anime_id,rating\n1,1,-1\n1,1,8\n1,1,-1\n")
    _, _, interactions, stats = collected(read_domain(registry.find("anime"), tmp_path))
    assert interactions["value"].to_list() == [None, 8.0]
    assert stats["dropped"] == {"repeated interaction": 1}


def test_nothing_usable_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no usable interaction"):
        movielens(tmp_path, ratings="userId,movieId,rating,timestamp\n1,99,3.0,1\n")


# Malformed lines --------------------------------------------------------------------------------------------


def many(line: str, count: int = 200) -> str:
    return "".join(line.format(i) + "\n" for i in range(count))


@pytest.mark.parametrize("bad", ["9,1,four,1", "9,1,4.0,1,extra", "9,1", ",1,4.0,1"])
def test_a_malformed_csv_line_is_skipped_counted_and_located(tmp_path: Path, bad: str) -> None:
    ratings = (
        "userId,movieId,rating,timestamp\n"
        + many("7,1,4.0,1{:09}")
        + f"\n{bad}\n"
        + many("8,2,4.0,1{:09}", 3)
    )
    stats = movielens(tmp_path, ratings=ratings).stats
    assert stats["rows_in"] == 203
    assert stats["dropped"] == {"malformed line": 1}
    assert stats["first"]["malformed line"][0].startswith("ratings.csv:203: ")


def test_more_than_one_percent_is_an_error_that_names_file_and_line(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"ratings.csv:4: .*1 of 3 lines"):
        movielens(tmp_path, ratings=RATINGS + "7,1,good,1\n")


def test_a_missing_column_and_an_empty_file_are_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"ratings.csv:1: has no column rating(.|\n)*found: userId"):
        movielens(tmp_path, ratings="userId,movieId,stars,timestamp\n1,1,3.0,1\n")
    with pytest.raises(UserError, match=r"movies.csv: is empty"):
        movielens(tmp_path, movies="")


def test_marks_of_other_systems_are_read_over(tmp_path: Path) -> None:
    movies = "\ufeff" + MOVIES.replace("\n", "\r\n")
    assert movielens(tmp_path, movies).items["title"].to_list() == ["Toy Story", "Heat"]


def test_the_limit_of_malformed_lines_is_the_recipes(tmp_path: Path) -> None:
    stats = movielens(tmp_path, ratings=RATINGS + "7,1,good,1\n", malformed=0.5).stats
    assert stats["dropped"] == {"malformed line": 1} and stats["rows_out"] == 2


# The order of rows ------------------------------------------------------------------------------------------


def test_rows_are_by_user_and_time_and_remember_their_place(tmp_path: Path) -> None:
    ratings = "userId,movieId,rating,timestamp\n8,1,4.0,1000000050\n7,2,3.0,1000000070\n"
    ratings += "8,2,5.0,1000000020\n7,1,4.0,1000000070\n"
    events = movielens(tmp_path, ratings=ratings).interactions
    assert events.select("user", "item", "timestamp", "order").rows() == [
        (0, 1, 1000000020000, 2), (0, 0, 1000000050000, 0),
        (1, 1, 1000000070000, 1), (1, 0, 1000000070000, 3),
    ]  # fmt: skip


def test_where_times_are_published_a_row_without_one_is_dropped(tmp_path: Path) -> None:
    folder = tmp_path / "yelp"
    folder.mkdir()
    (folder / "a_business.json").write_text('{"business_id": "b", "name": "Cafe"}\n')
    review = '{{"user_id": "u{}", "business_id": "b", "stars": 5.0, "date": "{}"}}\n'
    dates = ("2018-07-07 22:09:11", "yesterday", "")
    (folder / "a_review.json").write_text("".join(review.format(n, date) for n, date in enumerate(dates)))
    tables = collected(read_domain(registry.find("yelp"), tmp_path))
    assert tables.users["user_id"].to_list() == ["u0"]
    assert tables.stats["dropped"] == {"interaction without a time": 2}


def test_the_repeats_of_steam_200k_go_and_a_purchase_is_not_a_play(tmp_path: Path) -> None:
    folder = tmp_path / "steam"
    folder.mkdir()
    rows = [
        "1,Dota 2,purchase,1.0,0",
        "1,Dota 2,play,0.5,0",
        "1,Dota 2,purchase,1.0,0",
        "2,Ys,purchase,1.0,0",
    ]
    (folder / "steam-200k.csv").write_text("\n".join(rows) + "\n")
    tables = collected(read_domain(registry.find("steam"), tmp_path))
    assert tables.interactions.select("user", "item", "kind", "value").rows() == [
        (0, 0, "purchase", None), (0, 0, "play", 0.5), (1, 1, "purchase", None),
    ]  # fmt: skip
    assert tables.stats["dropped"] == {"repeated interaction": 1}
    assert tables.stats["ordered"] is False
