"""What all readers share: the registry, cleaning, titles told apart, malformed lines."""

import gzip
import json
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from datagen.datasets import registry
from datagen.datasets.delimited import Dialect, read_delimited
from datagen.datasets.frames import Tables, read_domain, tell_apart
from datagen.datasets.lines import parse, read_scalars, records, texts
from datagen.datasets.raw import Drops
from rectune.errors import UserError
from rectune.tables import interaction_schema, item_schema, user_schema

MOVIES = "movieId,title,genres\n1,Toy Story (1995),Animation|Comedy\n2,Heat (1995),Crime\n"
RATINGS = "userId,movieId,rating,timestamp\n7,1,4.0,100\n8,2,3.5,200\n"


def movielens(root: Path, movies: str = MOVIES, ratings: str = RATINGS) -> Tables:
    folder = root / "movielens"
    folder.mkdir(exist_ok=True)
    (folder / "movies.csv").write_text(movies, encoding="utf-8")
    (folder / "ratings.csv").write_text(ratings, encoding="utf-8")
    return read_domain(registry.find("movielens"), root)


# The registry -----------------------------------------------------------------------------------------------


def test_eight_datasets_with_distinct_names_and_domains() -> None:
    assert len({dataset.name for dataset in registry.DATASETS}) == 8
    assert len({dataset.domain for dataset in registry.DATASETS}) == 8
    assert all(dataset.licence and dataset.home.startswith("https://") for dataset in registry.DATASETS)


def test_a_misspelt_name_gets_the_nearest_one() -> None:
    with pytest.raises(UserError, match="did you mean movielens"):
        registry.find("movielen")


def test_a_missing_folder_and_a_missing_file_say_what_and_where_from(tmp_path: Path) -> None:
    dataset = registry.find("anime")
    with pytest.raises(UserError, match=r"no such folder(.|\n)*anime.csv, rating.csv(.|\n)*kaggle"):
        registry.files(dataset, tmp_path)
    (tmp_path / "anime").mkdir()
    (tmp_path / "anime" / "anime.csv").write_text("x")
    with pytest.raises(UserError, match=r"has no file rating.csv(.|\n)*kaggle"):
        registry.files(dataset, tmp_path)


def test_meta_files_are_not_reviews_and_packed_doubles_are_passed_over(tmp_path: Path) -> None:
    folder = tmp_path / "amazon"
    folder.mkdir()
    for name in ("meta_A.jsonl", "meta_B.jsonl.gz", "A.jsonl", "A.jsonl.gz", "B.jsonl.gz", "README.txt"):
        (folder / name).touch()
    metas, reviews = registry.by_pattern(registry.find("amazon"), tmp_path)
    assert [path.name for path in metas] == ["meta_A.jsonl", "meta_B.jsonl.gz"]
    assert [path.name for path in reviews] == ["A.jsonl", "B.jsonl.gz"]
    assert registry.files(registry.find("amazon"), tmp_path) == sorted(metas + reviews)


def test_what_may_be_missing_may_be_missing(tmp_path: Path) -> None:
    (tmp_path / "books").mkdir()
    for name in ("Books.csv", "Ratings.csv"):
        (tmp_path / "books" / name).touch()
    assert registry.by_pattern(registry.find("books"), tmp_path)[2] == []


def test_the_registry_is_light() -> None:
    check = "import sys, datagen.datasets.registry; sys.exit('polars' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", check], check=False).returncode == 0


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
        (0, 0, 4.0, 100),
        (1, 1, 3.5, 200),
    ]
    assert set(items["domain"]) == {"movies"}
    assert (stats["rows_in"], stats["rows_out"], stats["dropped"]) == (2, 2, {})


def test_each_loss_is_counted_under_its_reason(tmp_path: Path) -> None:
    movies = MOVIES + "3,,Drama\n4,<b></b>,Drama\n1,Toy Story again (1999),Drama\n"
    ratings = RATINGS + "7,1,4.0,100\n7,1,4.0,101\n7,99,1.0,5\n8,3,1.0,5\n"
    items, _, interactions, stats = movielens(tmp_path, movies, ratings)
    assert items["title"].to_list() == ["Toy Story", "Heat"]
    assert interactions["order"].to_list() == [0, 1, 3]  # another time makes another interaction
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
    _, _, interactions, stats = read_domain(registry.find("anime"), tmp_path)
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
    ratings = "userId,movieId,rating,timestamp\n" + many("7,1,4.0,{}") + f"\n{bad}\n" + many("8,2,4.0,{}", 3)
    stats = movielens(tmp_path, ratings=ratings).stats
    assert stats["rows_in"] == 203
    assert stats["dropped"] == {"malformed line": 1}
    assert stats["first"]["malformed line"].startswith("ratings.csv:203: ")


def test_more_than_one_percent_is_an_error_that_names_file_and_line(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"ratings.csv:4: .*1 of 3 lines"):
        movielens(tmp_path, ratings=RATINGS + "7,1,good,1\n")


def test_lines_are_counted_through_fields_that_span_several(tmp_path: Path) -> None:
    movies = "movieId,title,genres\n" + '1,"Two\nLines (1995)",Drama\n' + many("3{},Film,Drama") + "5,a,b,c\n"
    stats = movielens(tmp_path, movies).stats
    assert stats["first"]["malformed line"].startswith("movies.csv:204: ")


def test_an_unclosed_quote_names_its_line(tmp_path: Path) -> None:
    movies = MOVIES + '3,"Open (1999),Drama\n' + many("4{},Film,Drama")
    with pytest.raises(UserError, match=r"movies.csv:4: a quote opens here"):
        movielens(tmp_path, movies)


def test_a_missing_column_and_an_empty_file_are_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"ratings.csv:1: has no column rating(.|\n)*found: userId"):
        movielens(tmp_path, ratings="userId,movieId,stars,timestamp\n1,1,3.0,1\n")
    with pytest.raises(UserError, match=r"movies.csv: is empty"):
        movielens(tmp_path, movies="")


def test_marks_of_other_systems_are_read_over(tmp_path: Path) -> None:
    movies = "\ufeff" + MOVIES.replace("\n", "\r\n")
    assert movielens(tmp_path, movies).items["title"].to_list() == ["Toy Story", "Heat"]


def test_in_files_without_quoting_quotes_are_data(tmp_path: Path) -> None:
    path = tmp_path / "t.tsv"
    path.write_text('1\t"open\n2\tmid"dle\n')
    text = pl.String()
    table = read_delimited(path, {"id": text, "t": text}, ["id"], Drops(), Dialect("\t", False, ("id", "t")))
    assert table["t"].to_list() == ['"open', 'mid"dle']


# Records a line ---------------------------------------------------------------------------------------------


def test_records_may_be_json_or_literals_and_nothing_is_run(tmp_path: Path) -> None:
    path = tmp_path / "r.json"
    lines = [
        '{"a": null, "b": true}',
        "{u'a': None, 'b': True}",
        "",
        "{'a': __import__('os').getcwd()}",
        "[1]",
    ]
    path.write_text("\n".join(lines + ['{"a": 1}'] * 300))
    drops = Drops()
    found = list(records(path, drops))
    assert found[:2] == [{"a": None, "b": True}] * 2
    assert len(found) == 302
    assert drops.counts == {"malformed line": 2}
    assert drops.first["malformed line"].startswith("r.json:4: ")


def test_deep_nesting_is_malformed_and_no_crash() -> None:
    for opening in ("[" * 100_000, "{'a':" * 100_000):
        with pytest.raises(ValueError, match="neither"):
            parse(opening)


def test_a_file_of_something_else_is_given_up_early(tmp_path: Path) -> None:
    path = tmp_path / "r.json"
    path.write_text("no record\n" * 5000)
    with pytest.raises(UserError, match=r"r.json:1: .*1,000 of 1,000"):
        list(records(path, Drops()))


def test_packed_files_are_read_and_torn_ones_named(tmp_path: Path) -> None:
    path = tmp_path / "r.json.gz"
    whole = gzip.compress(json.dumps({"a": "b" * 1000}).encode() + b"\n")
    path.write_bytes(whole)
    assert len(list(records(path, Drops()))) == 1
    for torn in (whole[:-12], b"no gzip"):
        path.write_bytes(torn)
        with pytest.raises(UserError, match=r"r.json.gz: cannot be read"):
            list(records(path, Drops()))


def test_columns_and_lines_read_the_same(tmp_path: Path) -> None:
    rows = [{"u": f"u{i}", "r": i / 2, "t": 10**12 + i, "other": {"u": "deep"}} for i in range(300)]
    path, odd = tmp_path / "plain.json", tmp_path / "odd.json"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    odd.write_text(
        "".join(repr(row) + "\n" for row in rows) + '{"u": 5, "r": "2.5", "t": 1e300}\n{"t": [1]}\nbroken\n'
    )
    schema = {"u": pl.String(), "r": pl.Float64(), "t": pl.Int64()}
    drops = Drops()
    plain, mended = read_scalars(path, schema, drops), read_scalars(odd, schema, drops)
    assert plain.rows() == mended.rows()[:300]
    assert mended.rows()[300:] == [("5", 2.5, None), (None, None, None)]
    assert drops.counts == {"malformed line": 1}
    assert drops.first["malformed line"].startswith("odd.json:303: ")


@pytest.mark.parametrize(
    ("published", "found"),
    [(["a", None, 3], ["a", "3"]), ([["r", "a"], ["b"]], ["r", "a", "b"]), ("['a', \"b\"]", ["a", "b"]),
     ('["a"]', ["a"]), ("[a", ["[a"]), ("plain", ["plain"]), (None, []), ({}, [])],
)  # fmt: skip
def test_lists_however_they_were_written(published: object, found: list[str]) -> None:
    assert texts(published) == found
