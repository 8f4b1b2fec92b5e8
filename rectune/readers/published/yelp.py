"""Yelp's open dataset: businesses and reviews as JSON lines."""

from __future__ import annotations

import functools
import typing
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from rectune.readers.cells import parse, text, texts, whole
from rectune.readers.drops import REVIEWS, Drops, Sizes
from rectune.readers.json_records import item_table, records, scan_scalars
from rectune.readers.raw import Raw, interaction_frame, no_users, review_frame
from rectune.readers.text import clean_text, json_object

if typing.TYPE_CHECKING:
    import polars as pl

_PRICE = "RestaurantsPriceRange2"
_NOTHING = ("", "no", "none")


def read(files: Sequence[Sequence[Path]], drops: Drops) -> Raw:
    """Read *_business.json and *_review.json."""
    businesses, reviews = files
    table = item_table(row for path in businesses for row in items(path, drops))
    rated = (interaction_frame(rows, "review") for path in reviews for rows in _reviews(path, drops))
    return Raw(table, rated, no_users(), drops)


def reviews(files: Sequence[Sequence[Path]], drops: Drops) -> Iterator[pl.DataFrame]:
    """What was written in the reviews, with the columns of `rectune.readers.raw.review_columns`."""
    for path in files[1]:
        for rows in _reviews(path, drops, written=True):
            yield review_frame(rows)


def items(path: Path, drops: Drops) -> Iterator[dict[str, Any]]:
    """The places of *_business.json."""
    for record in records(path, drops):
        city, state, address = (clean_text(text(record.get(key))) for key in ("city", "state", "address"))
        attributes = _attributes(record.get("attributes"))
        price = whole(attributes.pop(_PRICE, None))
        is_open = whole(record.get("is_open"))  # closed for good, places are still what people went to
        place = ", ".join(part for part in (city, state) if part)
        yield {
            "item_id": text(record.get("business_id")),
            "title": text(record.get("name")),
            "categories": ",".join(texts(record.get("categories"))).split(","),
            "description": f"in {place}" if place else "",
            "extra": json_object(
                city=city, state=state, address=address, price=price, is_open=is_open, has=_said(attributes)
            ),
            "marks": [city or None, address or None],
        }


def _attributes(published: Any) -> dict[str, Any]:
    """What is said about a place, by name. Values are Python literals inside texts, such as `u'free'`."""
    given = published if isinstance(published, dict) else {}
    return {name: _plain(value) for name, value in given.items()}


def _plain(value: Any) -> Any:
    return _literal(value) if isinstance(value, str) else value


@functools.lru_cache(1 << 14)  # the same few thousand texts stand in every place
def _literal(published: str) -> Any:
    try:
        return parse(published)
    except ValueError:
        return published


def _said(attributes: dict[str, Any]) -> list[str]:
    """What a place has, in words: `WiFi: free`, `BusinessParking: garage`, `OutdoorSeating`."""
    said = []
    for name, value in attributes.items():
        if isinstance(value, dict):
            said += [f"{name}: {part}" for part, holds in value.items() if holds is True]
        elif value is True:
            said.append(name)
        elif isinstance(value, str) and value not in _NOTHING:
            said.append(f"{name}: {value}")
    return [clean_text(each) for each in said]


def _reviews(path: Path, drops: Drops, written: bool = False) -> Iterator[pl.DataFrame]:
    """The reviews, with what was `written` in them only where that is asked for."""
    import polars as pl

    schema: dict[str, pl.DataType] = {"user_id": pl.String(), "business_id": pl.String()}
    schema |= {"stars": pl.Float64(), "date": pl.String()}
    told = {"text": pl.String(), "useful": pl.Int64()} if written else {}
    # Times are local and without a zone; the order within a place is all that they are used for. The editions
    # before 2018 have days alone.
    date = pl.col("date").str
    times = pl.coalesce(
        date.to_datetime("%Y-%m-%d %H:%M:%S", strict=False), date.to_datetime("%Y-%m-%d", strict=False)
    )
    for rows in scan_scalars(path, schema | told, drops, REVIEWS if written else Sizes()):
        further = {"text": "text", "helpful": "useful"} if written else {}
        yield rows.select(
            "user_id", timestamp=times.dt.epoch("ms"), item_id="business_id", value="stars", **further
        )
