"""What was written in reviews, as Amazon, Yelp and Steam publish it and as a recipe maps it."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from rectune.core.settings import CustomDatasetConfig
from rectune.datagen.datasets.custom import dataset
from rectune.datagen.datasets.registry import find, locate
from rectune.readers.drops import Drops
from rectune.readers.raw import review_columns

FIRST = 1_558_404_207_000  # ms
THEN, NOW = {"unixReviewTime": FIRST // 1000}, {"timestamp": FIRST}
AMAZON = {
    "reviews_Books.json": [
        {"reviewerID": "R1", "asin": "A1", "reviewText": "Old.", "helpful": [2, 13], **THEN},
        {"reviewerID": "R2", "asin": "A1", "helpful": [2, 3], **THEN},
        {"reviewerID": "R3", "asin": "A1", "reviewText": "", **THEN},
    ],
    "Books.json": [
        {"reviewerID": "R1", "asin": "A1", "reviewText": "Newer.", "vote": "1,024", **THEN},
        {"reviewerID": "R2", "asin": "A1", "reviewText": "No votes.", **THEN},
    ],
    "Books.jsonl": [
        {"user_id": "R1", "parent_asin": "A1", "text": "New.<br />Two.", "helpful_vote": 7, **NOW},
        {"user_id": "R2", "parent_asin": "A1", "text": "Odd.", "helpful_vote": -1, **NOW},
    ],
}  # fmt: skip


def written(root: Path, *rows: Any, how: Any = json.dumps) -> None:
    root.parent.mkdir(parents=True, exist_ok=True)
    root.write_text("".join(how(row) + "\n" for row in rows))


def read(name: str, root: Path) -> list[tuple[Any, ...]]:
    layout, files = locate(find(name), root)
    return checked(layout.read_reviews(files, Drops()))


def checked(batches: Iterator[pl.DataFrame]) -> list[tuple[Any, ...]]:
    frames = list(batches)
    assert all(frame.schema == review_columns() for frame in frames)
    return [row for frame in frames for row in frame.rows()]


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("reviews_Books.json", [("R1", 2, "Old.")]),
        ("Books.json", [("R1", 1024, "Newer."), ("R2", 0, "No votes.")]),
        ("Books.jsonl", [("R1", 7, "New.<br />Two."), ("R2", 0, "Odd.")]),
    ],
)
def test_amazon_counts_votes_in_three_ways(tmp_path: Path, name: str, found: list[Any]) -> None:
    written(tmp_path / f"amazon/meta_Books.json{name.partition('.json')[2]}", {"asin": "A1", "title": "One"})
    written(tmp_path / "amazon" / name, *AMAZON[name])
    rows = [(user, "A1", FIRST, helpful, text) for user, helpful, text in found]
    assert read("amazon", tmp_path) == rows
    # Odd lines are parsed another way, to the same end.
    with (tmp_path / "amazon" / name).open("a") as stream:
        stream.write(f"{AMAZON[name][0]!r}\n")
    assert read("amazon", tmp_path) == [*rows, rows[0]]


def test_yelp_counts_who_found_it_useful(tmp_path: Path) -> None:
    written(tmp_path / "yelp/a_business.json", {"business_id": "b", "name": "Joe's"})
    review = {"user_id": "u", "business_id": "b", "stars": 4.0, "useful": 3, "text": "a\nb \"c\"",
              "date": "2021-03-21 06:16:07"}  # fmt: skip
    written(tmp_path / "yelp/a_review.json", review, review | {"text": None}, review | {"useful": None})
    time = 1_616_307_367_000
    assert read("yelp", tmp_path) == [("u", "b", time, 3, 'a\nb "c"'), ("u", "b", time, 0, 'a\nb "c"')]


def test_steam_has_reviews_where_their_file_is(tmp_path: Path) -> None:
    written(tmp_path / "steam/steam_games.json", {"id": "1250", "title": "Killing"}, how=repr)
    written(tmp_path / "steam/australian_users_items.json", {"user_id": "u", "items": []}, how=repr)
    assert read("steam", tmp_path) == []
    reviews = [
        {"item_id": "1250", "helpful": "1,015 of 1,120 people (75%) found this review helpful",
         "review": "Simple."},
        {"item_id": "22200", "helpful": "No ratings yet", "review": "It's unique."},
        {"item_id": "9", "helpful": "", "review": ""},
    ]  # fmt: skip
    written(tmp_path / "steam/australian_user_reviews.json", {"user_id": "u", "reviews": reviews}, how=repr)
    assert read("steam", tmp_path) == [
        ("u", "1250", None, 1015, "Simple."),
        ("u", "22200", None, 0, "It's unique."),
    ]


@pytest.mark.parametrize("ending", ["csv", "jsonl", "parquet"])
def test_ones_own_columns_are_mapped(tmp_path: Path, ending: str) -> None:
    written(tmp_path / "items.jsonl", {"id": "1", "title": "One"})
    rows = pl.DataFrame(
        {
            "user": ["a", "b", "c"],
            "item": [1, 1, 1],
            "후기": ["좋아요, 정말", None, "Good"],
            "likes": [12, 3, None],
        }
    )
    path = tmp_path / f"e.{ending}"
    {"csv": rows.write_csv, "jsonl": rows.write_ndjson, "parquet": rows.write_parquet}[ending](path)
    spec = CustomDatasetConfig(
        domain="shop",
        items="items.jsonl",
        interactions=path.name,
        kind="review",
        interaction_columns={"text": "후기", "helpful": "likes"},
    )
    layout, files = locate(dataset("shop", spec, tmp_path), tmp_path)
    assert checked(layout.read_reviews(files, Drops())) == [
        ("a", "1", None, 12, "좋아요, 정말"), ("c", "1", None, 0, "Good"),
    ]  # fmt: skip
    assert [len(batch) for batch in layout.read(files, Drops()).interactions] == [3]
