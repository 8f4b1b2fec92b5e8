"""The Yelp Open Dataset: businesses and reviews."""

import json
from datetime import UTC, datetime
from pathlib import Path
from random import Random

from samples.domains import URL_SAFE, code
from samples.review_texts import review
from samples.shared import Record, mean, values_of, write_lines
from samples.taste import Act, Item, World

CENTRES = {
    "New York": (40.71, -74.01, "10001"),
    "San Francisco": (37.77, -122.42, "94103"),
    "Chicago": (41.88, -87.63, "60601"),
    "New Orleans": (29.95, -90.07, "70112"),
    "Philadelphia": (39.95, -75.17, "19106"),
    "Los Angeles": (34.05, -118.24, "90013"),
    "Seoul": (37.57, 126.98, ""),
    "Busan": (35.18, 129.08, ""),
}
DAYS = ("Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


def _attributes(item: Item, random: Random) -> Record | None:
    """Python literals inside strings, some of them from Python 2. Only the price class is a fact."""
    if item.facts["quirk"] == "no_attributes":
        return None
    street = random.random() < 0.5
    attributes: Record = {"BusinessAcceptsCreditCards": "True"}
    if random.random() < 0.6:
        attributes["BusinessParking"] = str({"garage": not street, "street": street, "lot": False})
    if item.facts["price"]:
        attributes["RestaurantsPriceRange2"] = item.facts["price"]
        attributes["WiFi"] = random.choice(("u'free'", "'free'", "u'no'", "None"))
    return attributes


def _business(world: World, index: int, random: Random) -> Record:
    item = world.items[index]
    facts, stars = item.facts, values_of(world, index)
    latitude, longitude, postal = CENTRES[facts["city"]]
    hours = {day: random.choice(("9:0-17:0", "11:0-22:0", "10:30-0:0")) for day in DAYS}
    return {
        "business_id": item.id,
        "name": item.title,
        "address": facts["address"],
        "city": facts["city"],
        "state": facts["state"],
        "postal_code": postal,
        "latitude": latitude,
        "longitude": longitude,
        "stars": round(2 * mean(stars)) / 2,
        "review_count": len(stars),
        "is_open": 1,
        "attributes": _attributes(item, random),
        "categories": None if facts["quirk"] == "no_categories" else facts["categories"],
        "hours": None if facts["quirk"] in ("no_hours", "no_attributes") else hours,
    }


def _yelp_review(world: World, act: Act, random: Random) -> Record:
    item = world.items[act.item]
    return {
        "review_id": code(URL_SAFE, 22, random),
        "user_id": world.users[act.user].id,
        "business_id": item.id,
        "stars": float(act.value),
        "useful": random.choice((0, 0, 0, 1, 3)),
        "funny": random.choice((0, 0, 0, 1)),
        "cool": random.choice((0, 0, 1)),
        "text": review(item, act.value, random),
        "date": f"{datetime.fromtimestamp(act.time, UTC):%Y-%m-%d %H:%M:%S}",
    }


def yelp(world: World, folder: Path, random: Random) -> None:
    """yelp_academic_dataset_business.json and _review.json, JSON lines in UTF-8, reviews in no order."""
    places = [_business(world, index, random) for index in range(len(world.items))]
    write_lines(folder / "yelp_academic_dataset_business.json", map(_unescaped, places))
    reviews = [_yelp_review(world, act, random) for act in world.acts]
    reviews[17]["text"] = 'Came twice.\n\nThe second time was even better, "best in town" says my aunt.'
    reviews.append(
        reviews[40] | {"review_id": code(URL_SAFE, 22, random), "business_id": code(URL_SAFE, 22, random)}
    )
    random.shuffle(reviews)
    write_lines(folder / "yelp_academic_dataset_review.json", map(_unescaped, reviews))


def _unescaped(record: Record) -> str:
    return json.dumps(record, ensure_ascii=False)
