"""Yelp's open dataset: businesses and reviews as JSON lines."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from datagen.datasets.lines import parse, read_scalars, records, text, texts, whole
from datagen.datasets.raw import Drops, Raw, interaction_frame, item_frame, no_users
from datagen.datasets.text import clean_text, json_object


def read(files: Sequence[Sequence[Path]]) -> Raw:
    """Read yelp_academic_dataset_business.json and _review.json."""
    import polars as pl

    (businesses,), (reviews,) = files
    drops = Drops()
    items = item_frame(_items(businesses, drops))
    schema = {"user_id": pl.String(), "business_id": pl.String(), "stars": pl.Float64(), "date": pl.String()}
    # Times are local and without a zone; the order within a place is all that they are used for.
    times = pl.col("date").str.to_datetime("%Y-%m-%d %H:%M:%S", strict=False).dt.epoch("s")
    rated = read_scalars(reviews, schema, drops).select(
        "user_id", timestamp=times, item_id="business_id", value="stars"
    )
    return Raw(items, interaction_frame(rated, "review"), no_users(), drops)


def _items(path: Path, drops: Drops) -> Iterator[dict[str, Any]]:
    for record in records(path, drops):
        city, state, address = (clean_text(text(record.get(key))) for key in ("city", "state", "address"))
        price = _price_class(record.get("attributes"))
        place = ", ".join(part for part in (city, state) if part)
        yield {
            "item_id": text(record.get("business_id")),
            "title": text(record.get("name")),
            "categories": ",".join(texts(record.get("categories"))).split(","),
            "description": f"in {place}" if place else "",
            "extra": json_object(city=city, state=state, address=address, price=price),
            "marks": [city or None, address or None],
        }


def _price_class(attributes: Any) -> int | None:
    """1 (cheap) to 4; published as a Python literal inside a text."""
    value = attributes.get("RestaurantsPriceRange2") if isinstance(attributes, dict) else None
    try:
        return whole(parse(value) if isinstance(value, str) else value)
    except ValueError:
        return None
