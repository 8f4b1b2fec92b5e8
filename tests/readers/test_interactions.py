"""Interactions of one's own as people have them: values, times and ids; what is warned of, and what is
refused.
"""

import json
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from rectune.core.errors import UserError
from rectune.core.recipe import Recipe, load_recipe
from rectune.core.settings import CustomDatasetConfig
from rectune.datagen.build import run
from rectune.datagen.datasets.custom import dataset
from rectune.datagen.datasets.normalize import read_domain
from tests.datagen.frames import Frames, collected

FIRST = 1600604800000  # 2020-09-20 12:26:40 UTC, in ms


@pytest.fixture(autouse=True)
def items(tmp_path: Path) -> None:
    (tmp_path / "items.csv").write_text("id,title\n1,One\n2,Two\n3,Three\n")


def tables(root: Path, content: Any, name: str = "e.csv", **more: Any) -> Frames:
    """The tables of a dataset whose interactions are this text (or this frame, as Parquet)."""
    if isinstance(content, pl.DataFrame):
        name = "e.parquet"
        content.write_parquet(root / name)
    else:
        (root / name).write_text(content)
    spec = CustomDatasetConfig(**({"domain": "shop", "items": "items.csv", "interactions": name} | more))
    return collected(read_domain(dataset("shop", spec, root), root))


def values(found: Frames) -> list[float | None]:
    return found.interactions.sort("order")["value"].to_list()


# Values -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("odd", [float("nan"), float("inf"), float("-inf")])
def test_a_rating_that_is_no_number_is_none(tmp_path: Path, odd: float) -> None:
    frame = pl.DataFrame({"user": ["a", "b", "c"], "item": ["1", "2", "3"], "rating": [odd, 4.0, 1.0]})
    for dtype in (pl.Float32(), pl.Float64()):
        assert values(tables(tmp_path, frame.cast({"rating": dtype}))) == [None, 4.0, 1.0]
    line = '{{"user": "{}", "item": "1", "rating": {}}}\n'
    lines = line.format("a", "NaN") + line.format("b", 4.0) + line.format("c", 1)
    assert values(tables(tmp_path, lines, "e.jsonl")) == [None, 4.0, 1.0]


@pytest.mark.parametrize("column", ["rate", "Book-Rating", "X-Rating", "weight", "my_score", "Stars"])
def test_values_are_guessed_by_what_their_names_end_in(tmp_path: Path, column: str) -> None:
    assert values(tables(tmp_path, f"user,item,{column}\na,1,3\nb,2,1\n")) == [3.0, 1.0]


def test_ratings_without_a_column_of_values_are_refused(tmp_path: Path) -> None:
    text = "user,item,opinion,average_rating\na,1,3,4\n"
    with pytest.raises(UserError, match="no column looks like ratings; not used: opinion, average_rating"):
        tables(tmp_path, text)
    assert values(tables(tmp_path, text, interaction_columns={"value": "opinion"})) == [3.0]
    assert values(tables(tmp_path, text, interaction_columns={"value": ""})) == [1.0]
    assert values(tables(tmp_path, text, kind="click")) == [1.0]


@pytest.mark.parametrize("name", ["e.csv", "e.jsonl", "e.parquet"])
def test_decimal_commas_are_read_and_other_texts_counted(tmp_path: Path, name: str) -> None:
    written = ["4,5", "3", "", "2,25", *["1"] * 300, "good"]
    rows = [{"user": f"u{n}", "item": "1", "rating": value} for n, value in enumerate(written)]
    content: Any = {
        "e.csv": "user;item;rating\n" + "".join(f"{r['user']};1;{r['rating']}\n" for r in rows),
        "e.jsonl": "".join(json.dumps(row) + "\n" for row in rows),
        "e.parquet": pl.DataFrame(rows),
    }[name]
    found = tables(tmp_path, content, name)
    assert values(found) == [4.5, 3.0, None, 2.25, *[1.0] * 300]
    ((reason, count),) = found.stats["dropped"].items()
    assert (reason, count) == ("malformed line" if name == "e.csv" else "value that is no number", 1)
    assert name in found.stats["first"][reason][0]


def test_values_that_are_no_numbers_refuse_the_file(tmp_path: Path) -> None:
    frame = pl.DataFrame({"user": ["a", "b"], "item": ["1", "2"], "rating": ["good", "bad"]})
    with pytest.raises(UserError, match="2 of 2 values of the column rating are no numbers: good"):
        tables(tmp_path, frame)


# Times ------------------------------------------------------------------------------------------------------


def as_parquet(unit: Any) -> pl.DataFrame:
    times = [datetime.fromtimestamp(FIRST / 1000, UTC) + timedelta(milliseconds=n) for n in (500, 400, 300)]
    frame = pl.DataFrame({"user": ["u"] * 3, "item": ["3", "2", "1"], "time": times})
    return frame.with_columns(pl.col("time").cast(pl.Datetime(unit, "UTC")))


NEWEST_FIRST = {
    "milliseconds": "u,3,1600604800500\nu,2,1600604800400\nu,1,1600604800300\n",
    "microseconds": "u,3,1600604800500000\nu,2,1600604800400000\nu,1,1600604800300000\n",
    "fractions": "u,3,1600604800.5\nu,2,1600604800.4\nu,1,1600604800.3\n",
    "iso": "u,3,2020-09-20T12:26:40.500Z\nu,2,2020-09-20T12:26:40.400Z\nu,1,2020-09-20T12:26:40.3Z\n",
}


@pytest.mark.parametrize("how", NEWEST_FIRST)
def test_events_within_one_second_keep_their_order_though_the_newest_stands_first(
    tmp_path: Path, how: str
) -> None:
    found = tables(tmp_path, "user,item,time\n" + NEWEST_FIRST[how], kind="click")
    assert found.interactions["timestamp"].to_list() == [FIRST + 300, FIRST + 400, FIRST + 500]
    assert found.interactions["item"].to_list() == [0, 1, 2]


@pytest.mark.parametrize("unit", ["ms", "us", "ns"])
def test_times_of_parquet_keep_their_milliseconds(tmp_path: Path, unit: str) -> None:
    found = tables(tmp_path, as_parquet(unit), kind="click")
    assert found.interactions["timestamp"].to_list() == [FIRST + 300, FIRST + 400, FIRST + 500]


@pytest.mark.parametrize(
    ("written", "how", "ms"),
    [
        ("01-12-2010 08:26", "%d-%m-%Y %H:%M", 1291191960000),
        ("31/01/2024", "%d/%m/%Y", 1706659200000),
        ("Jan 31 2024 12:00", "%b %d %Y %H:%M", 1706702400000),
        ("2024.01.31 21:00 +0900", "%Y.%m.%d %H:%M %z", 1706702400000),
    ],
)
def test_times_may_be_written_as_a_format_says(tmp_path: Path, written: str, how: str, ms: int) -> None:
    text = f"user,item,time\nu,1,{written}\n"
    found = tables(tmp_path, text, kind="click", time_format=how)
    assert found.interactions["timestamp"].to_list() == [ms]
    with pytest.raises(UserError, match=r"are not written as %Y/%m: "):
        tables(tmp_path, text, kind="click", time_format="%Y/%m")


def test_without_the_format_the_error_names_the_key(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="in no known way") as refused:
        tables(tmp_path, "user,item,time\nu,1,01-12-2010 08:26\n", kind="click")
    assert "time_format" in refused.value.hint


@pytest.mark.parametrize(
    ("value", "found"), [(time(8, 26), "times of day"), (timedelta(hours=2), "durations")]
)
def test_times_of_day_and_durations_are_no_points_in_time(tmp_path: Path, value: Any, found: str) -> None:
    frame = pl.DataFrame({"user": ["u"], "item": ["1"], "time": [value]})
    with pytest.raises(UserError, match=f"the column time holds {found}"):
        tables(tmp_path, frame, kind="click")
    assert (
        tables(tmp_path, frame, kind="click", interaction_columns={"timestamp": ""}).interactions.height == 1
    )


def test_objects_of_mongodb_are_their_ids_numbers_and_times(tmp_path: Path) -> None:
    event = {
        "user_id": {"$oid": "5f1a"}, "item_id": {"$numberLong": "2"}, "rating": {"$numberDouble": "4.5"},
        "date": {"$date": "2020-09-20T12:26:40.500Z"},
    }  # fmt: skip
    found = tables(tmp_path, json.dumps(event) + "\n", "e.jsonl")
    assert found.users["user_id"].to_list() == ["5f1a"]
    assert found.interactions.select("item", "value", "timestamp").rows() == [(1, 4.5, FIRST + 500)]


# Ids and what is left out -----------------------------------------------------------------------------------


def test_a_missing_id_is_nobody_and_counted(tmp_path: Path) -> None:
    nan = float("nan")
    frame = pl.DataFrame(
        {"user": [1.0, nan, nan, 2.0], "item": [1.0, 1.0, 2.0, nan], "rating": [3.0, 4.0, 5.0, 2.0]}
    )
    for content, name in (
        (frame, ""),
        ("user,item,rating\n1,1,3\nnan,1,4\nNaN,2,5\n2,NULL,2\n", "e.csv"),
        ('{"user": 1, "item": 1, "rating": 3}\n{"user": NaN, "item": 1, "rating": 4}\n'
         '{"user": null, "item": 2, "rating": 5}\n{"user": 2, "rating": 2}\n', "e.jsonl"),
    ):  # fmt: skip
        found = tables(tmp_path, content, name)
        assert found.users["user_id"].to_list() == ["1"]
        assert found.stats["dropped"] == {"interaction without a user or an item": 3}


def test_more_than_half_unknown_is_warned_of_and_all_is_an_error_that_says_why(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = "user,item,rating\n" + "".join(f"u{n},{n},3\n" for n in range(1, 11))
    assert tables(tmp_path, rows).interactions.height == 3
    said = capsys.readouterr().err
    assert "warning: 70 % of the 10 interactions name items that the other file lacks" in said
    assert "7  interaction with an unknown item" in said
    with pytest.raises(
        UserError, match="no usable interaction: 2 times interaction with an unknown item"
    ) as refused:
        tables(tmp_path, "user,item,rating\nu,x,3\nv,y,3\n")
    assert "do both files belong together? interaction 1: user u, item x" in refused.value.hint
    assert "2  interaction with an unknown item" in capsys.readouterr().err


def recipe(root: Path, *more: str, **spec: Any) -> Recipe:
    own = {"domain": "shop", "items": "items.csv", "interactions": "e.csv"} | spec
    fixed = [
        f"data.root={root}",
        "data.datasets=[shop]",
        "data.mixture_weights={shop: 1}",
        "data.custom=" + json.dumps({"shop": own}),
    ]
    return load_recipe(Path("recipes/tiny.yaml"), [*fixed, *more]).only(("data",))


def test_what_was_rated_low_and_high_is_said_when_a_dataset_is_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "e.csv").write_text("user,item,rating\na,1,5\na,2,4\na,1,1\nb,1,2\nb,1,1\n")
    with pytest.raises(UserError, match="liked more than"):
        run(recipe(tmp_path, "data.positive_threshold.shop=3"), {}, tmp_path / "out")
    said = capsys.readouterr().err
    assert "shop: 1 pairs of user and item have values below 3 and others: they count as liked" in said


def test_too_short_histories_say_how_long_they_are(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "e.csv").write_text("user,item,rating\na,1,5\na,2,4\nb,1,2\n")
    out = tmp_path / "out"
    with pytest.raises(
        UserError, match=r"liked more than 5 items; the most that one liked is 2, and 100%"
    ) as refused:
        run(recipe(tmp_path), {}, out)
    assert refused.value.hint == "lower data.min_history to 1"
    assert (
        "warning: all interactions of shop count as liked: their values are 2 to 5" in capsys.readouterr().err
    )
    with pytest.raises(UserError, match="the most that one liked is 1, and 33%") as refused:
        run(recipe(tmp_path, "data.positive_threshold.shop=5", "data.min_history=1"), {}, tmp_path / "other")
    assert refused.value.hint == "lower data.positive_threshold.shop (now 5)"


@pytest.mark.parametrize(
    ("override", "found"),
    [
        ("data.positive_threshold={movielnes: 5}", "unknown dataset movielnes, did you mean movielens?"),
        ("data.categories={amazn: [Electronics]}", "unknown dataset amazn, did you mean amazon?"),
        ("data.mixture_weights={shop: 1, shpo: 2}", "unknown dataset shpo, did you mean shop?"),
    ],
)
def test_names_of_datasets_that_are_none_are_refused(tmp_path: Path, override: str, found: str) -> None:
    (tmp_path / "e.csv").write_text("user,item,rating\na,1,5\n")
    with pytest.raises(UserError) as refused:
        run(recipe(tmp_path, override), {}, tmp_path / "out")
    assert found in str(refused.value) and override.partition("=")[0] in str(refused.value)


@pytest.mark.parametrize(
    "override",
    ["data.positive_threshold={shop: .nan}", "data.positive_threshold={shop: .inf}",
     "data.datasets=[shop, shop]", "evaluate.systems=[random, random]",
     "generate.teachers=[{model: embedded}, {model: embedded, weight: 2}]",
     "data.categories={amazon: [Electronics, Electronics]}"],
)  # fmt: skip
def test_what_is_no_number_or_named_twice_is_refused(override: str) -> None:
    with pytest.raises(UserError, match=r"named twice|finite"):
        load_recipe(Path("recipes/tiny.yaml"), [override])
