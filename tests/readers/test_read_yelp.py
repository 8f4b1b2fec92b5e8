"""Yelp's businesses and reviews, with their nulls, literals inside texts, branches and broken dates."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from rectune.datagen.datasets.unique_titles import tell_apart
from rectune.readers.drops import Drops
from rectune.readers.published.yelp import read
from rectune.readers.raw import Raw, interaction_columns, item_columns

REVIEW = {"review_id": "r", "user_id": "u", "business_id": "b", "stars": 4.0, "useful": 0,
          "text": "a\nb \"c\"",
          "date": "2021-03-21 06:16:07"}  # fmt: skip


def raw(root: Path, businesses: list[Any], reviews: list[Any], packed: bool = False) -> Raw:
    paths = []
    for name, rows in {"business": businesses, "review": reviews}.items():
        content = "".join(json.dumps(row) + "\n" for row in rows).encode()
        paths.append(root / f"yelp_academic_dataset_{name}.json{'.gz' if packed else ''}")
        if rows:
            paths[-1].write_bytes(gzip.compress(content) if packed else content)
    return read([[path] if path.exists() else [] for path in paths], Drops())


def places(root: Path, *businesses: Any) -> list[dict[str, Any]]:
    found = raw(root, list(businesses), [])
    assert found.items.schema == item_columns()
    return [row | {"extra": json.loads(row["extra"])} for row in found.items.to_dicts()]


def times(root: Path, *dates: Any) -> list[int | None]:
    found = raw(root, [], [REVIEW | {"date": date} for date in dates])
    return [time for frame in found.interactions for time in frame["timestamp"]]


def test_what_is_null_is_read_over(tmp_path: Path) -> None:
    full, bare, empty = places(
        tmp_path,
        {"business_id": "b1", "name": "Joe's", "city": "New York", "state": "NY", "address": "7 Carmine St",
         "categories": "Pizza, Italian,  Restaurants", "is_open": 1, "hours": {"Monday": "0:0-0:0"},
         "attributes": {"RestaurantsPriceRange2": "2"}},
        {"business_id": "b2", "name": "Odd", "city": None, "categories": None, "attributes": None,
         "hours": None},
        {"business_id": "b3", "name": "Bare", "city": "",
         "attributes": {"RestaurantsPriceRange2": "None", "WiFi": None}},
    )  # fmt: skip
    assert (full["item_id"], full["title"], full["description"]) == ("b1", "Joe's", "in New York, NY")
    assert [name.strip() for name in full["categories"]] == ["Pizza", "Italian", "Restaurants"]
    assert full["marks"] == ["New York", "7 Carmine St"]
    assert full["extra"] == {
        "city": "New York", "state": "NY", "address": "7 Carmine St", "price": 2, "is_open": 1,
    }  # fmt: skip
    assert (bare["description"], bare["extra"], bare["marks"]) == ("", {}, [None, None])
    assert "".join(bare["categories"]) == ""
    assert empty["extra"] == {}


def test_attributes_are_literals_inside_texts(tmp_path: Path) -> None:
    attributes = {
        "WiFi": "u'free'",
        "Alcohol": "'none'",
        "NoiseLevel": "average",
        "BusinessParking": "{'garage': False, 'street': True, 'lot': None}",
        "Ambience": "{u'casual': True, u'classy': True}",
        "OutdoorSeating": "True",
        "RestaurantsDelivery": "False",
        "Smoking": "u'no'",
        "AgesAllowed": "__import__('os').getcwd()",
        "GoodForKids": True,
        "RestaurantsPriceRange2": "3",
        "BikeParking": "None",
    }
    (place,) = places(tmp_path, {"business_id": "b", "name": "x", "attributes": attributes})
    assert place["extra"]["price"] == 3
    assert place["extra"]["has"] == [
        "WiFi: free", "NoiseLevel: average", "BusinessParking: street", "Ambience: casual",
        "Ambience: classy",
        "OutdoorSeating", "AgesAllowed: __import__('os').getcwd()", "GoodForKids",
    ]  # fmt: skip


def test_closed_places_are_kept(tmp_path: Path) -> None:
    (place,) = places(tmp_path, {"business_id": "b", "name": "x", "is_open": 0})
    assert place["extra"] == {"is_open": 0}


def test_thirty_branches_say_where_they_are(tmp_path: Path) -> None:
    branches = [
        {"business_id": f"b{i}", "name": "Starbucks", "city": f"City {i // 3}", "address": f"{i} Main St"}
        for i in range(30)
    ]
    found = places(tmp_path, *branches)
    titles = tell_apart([place["title"] for place in found], [place["marks"] for place in found])
    assert len(set(titles)) == 30
    assert titles[4] == "Starbucks (City 1) (4 Main St)"


@pytest.mark.parametrize("packed", [False, True])
def test_reviews_are_columns(tmp_path: Path, packed: bool) -> None:
    found = raw(
        tmp_path,
        [{"business_id": "b", "name": "x"}],
        [REVIEW, REVIEW | {"stars": 1, "user_id": "v"}, REVIEW | {"stars": None}],
        packed,
    )
    frames = list(found.interactions)
    assert all(frame.schema == interaction_columns() for frame in frames)
    assert [row for frame in frames for row in frame.rows()] == [
        ("u", "b", 4.0, "review", 1616307367000), ("v", "b", 1.0, "review", 1616307367000),
        ("u", "b", None, "review", 1616307367000),
    ]  # fmt: skip


def test_broken_dates_are_null_and_days_are_times_too(tmp_path: Path) -> None:
    dates = (
        "2021-03-21 06:16:07",
        "2021-03-21",
        "some day",
        "",
        None,
        "2021-02-30 00:00:00",
        7,
        "2021-03-21 06:16",
    )
    assert times(tmp_path, *dates) == [1616307367000, 1616284800000, None, None, None, None, None, None]


def test_a_malformed_line_is_counted_and_named(tmp_path: Path) -> None:
    found = raw(tmp_path, [{"business_id": "b", "name": "x"}], [REVIEW] * 150 + [[REVIEW]] + [REVIEW] * 50)
    assert sum(frame.height for frame in found.interactions) == 200
    assert found.drops.counts == {"malformed line": 1}
    assert found.drops.first["malformed line"][0].startswith("yelp_academic_dataset_review.json:151: ")
