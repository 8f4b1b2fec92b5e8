"""Amazon Reviews, editions of 2018 (Digital Music) and 2023 (Electronics, Home and Kitchen)."""

import html
import json
from datetime import UTC, datetime
from pathlib import Path
from random import Random

from samples.domains import LETTERS, code
from samples.review_texts import is_korean, review, summary
from samples.shared import Record, mean, values_of, write_lines
from samples.taste import Act, Item, World


def _album(item: Item, random: Random) -> Record:
    facts, quirk = item.facts, item.facts["quirk"]
    escape = quirk == "entity"
    title = html.escape(item.title).replace("&#x27;", "&#39;") if escape else item.title
    artist, year = facts["artist"], facts["year"]
    brand = html.escape(artist).replace("&#x27;", "&#39;") if quirk == "artist_entity" else artist
    words = f"An album by {artist}, released in {year}."
    if is_korean(item.title):
        words = f"{artist}, {year}년 음반."
    price = f"${random.choice((5, 7, 8, 9, 11))}.49" if random.random() < 0.8 else ""
    return {
        "category": ["Digital Music", *item.facets],
        "description": [] if random.random() < 0.1 else [words],
        "title": title,
        "also_buy": [],
        "brand": brand,
        "feature": [],
        "rank": f"{random.randint(1000, 99999):,} in Digital Music (",
        "also_view": [],
        "main_cat": "Digital Music",
        "date": "",
        "price": price,
        "asin": item.id,
    }


def _music_review(world: World, act: Act, random: Random) -> Record:
    item = world.items[act.item]
    at = datetime.fromtimestamp(act.time, UTC)
    record: Record = {"overall": float(act.value)}
    if random.random() < 0.08:
        record["vote"] = str(random.randint(2, 40))
    record |= {"verified": random.random() < 0.8, "reviewTime": f"{at:%m} {at.day}, {at.year}"}
    record |= {"reviewerID": world.users[act.user].id, "asin": item.id}
    if random.random() < 0.98:  # a few published reviews have no text
        record["reviewText"] = review(item, act.value, random)
    # The publisher keeps the day only: two reviews of one day carry the same second.
    return record | {"summary": summary(act.value), "unixReviewTime": act.time // 86400 * 86400}


def amazon_music(world: World, folder: Path, random: Random) -> None:
    """meta_Digital_Music.json and Digital_Music.json, JSON lines in ASCII with escapes."""
    meta = [_album(item, random) for item in world.items]
    meta += [row for row, item in zip(meta, world.items, strict=True) if item.facts["quirk"] == "duplicate"]
    write_lines(folder / "meta_Digital_Music.json", map(json.dumps, meta))
    acts = sorted(world.acts, key=lambda act: (act.item, act.time))
    reviews = [_music_review(world, act, random) for act in acts]
    reviews[11]["vote"] = "1,024"
    # Two reviews twice, and one of an album that the metadata lacks.
    reviews += [reviews[30], reviews[31], reviews[60] | {"asin": "B0MUSIC999"}]
    write_lines(folder / "Digital_Music.json", map(json.dumps, reviews))


MAIN = {"Electronics": "All Electronics", "Home_and_Kitchen": "Amazon Home"}


def _price(facts: dict[str, str]) -> object:
    match facts["quirk"]:
        case "no_price":
            return None
        case "from_price":
            return f"from {facts['price']}"
        case _:
            return float(facts["price"])


def _product(world: World, index: int) -> Record:
    item = world.items[index]
    facts, values = item.facts, values_of(world, index)
    department = facts["group"].replace("_and_", " & ")
    return {
        "main_category": MAIN[facts["group"]],
        "title": item.title,
        "average_rating": round(mean(values), 1),
        "rating_number": len(values),
        "features": [facts["feature"]],
        "description": [] if index % 3 else [facts["feature"] + "."],
        "price": _price(facts),
        "images": [],
        "videos": [],
        "store": facts["store"],
        "categories": [department, *item.facets],
        "details": {"Brand": facts["store"]},
        "parent_asin": item.id,
        "bought_together": None,
    }


def _goods_review(world: World, act: Act, random: Random) -> Record:
    item = world.items[act.item]
    # Every fifth product is sold in two colours: the review names the colour's asin beside the parent's.
    variant = act.item % 5 == 0 and random.random() < 0.6
    text = review(item, act.value, random)
    return {
        "rating": float(act.value),
        "title": "" if random.random() < 0.03 else summary(act.value),
        "text": text + "<br />" + review(item, act.value, random) if random.random() < 0.03 else text,
        "images": [],
        "asin": f"B0COLOR{act.item:02d}{random.choice('AB')}" if variant else item.id,
        "parent_asin": item.id,
        "user_id": world.users[act.user].id,
        "timestamp": act.time * 1000 + random.randrange(1000),
        "helpful_vote": random.choice((0, 0, 0, 1, 4)),
        "verified_purchase": random.random() < 0.9,
    }


def amazon(world: World, folder: Path, random: Random) -> None:
    """Two categories, each a file of products and one of reviews. Users buy in both."""
    stranger = "AE" + code(LETTERS, 26, random)
    for group in MAIN:
        indices = [index for index, item in enumerate(world.items) if item.facts["group"] == group]
        products = (_product(world, index) for index in indices)
        write_lines(folder / f"meta_{group}.jsonl", map(json.dumps, products))
        chosen = set(indices)
        reviews = [_goods_review(world, act, random) for act in world.acts if act.item in chosen]
        reviews.insert(25, reviews[25])  # one review twice
        reviews.append(reviews[8] | {"asin": "B0UNKNOWN1", "parent_asin": "B0UNKNOWN1", "user_id": stranger})
        write_lines(folder / f"{group}.jsonl", map(json.dumps, reviews))
