"""Amazon reviews: the 2018 edition (JSON lines, seconds) and that of 2023 (parent_asin, milliseconds)."""

from __future__ import annotations

import re
import typing
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from datagen.datasets.lines import number, parse, read_scalars, records, text, texts
from datagen.datasets.raw import Drops, Raw, interaction_frame, item_frame, no_users
from datagen.datasets.text import clean_text, json_object

if typing.TYPE_CHECKING:
    import polars as pl

_CATEGORY = 60  # characters: longer "categories" of 2018 are features that slipped in
_PRICE = re.compile(r"\d[\d,]*(?:\.\d+)?")


def read(files: Sequence[Sequence[Path]]) -> Raw:
    """Read meta files and review files, of any number of product groups and of either edition."""
    import polars as pl

    metas, reviews = files
    drops = Drops()
    items = item_frame(row for path in metas for row in _items(path, drops))
    rated = pl.concat([_reviews(path, drops) for path in reviews])
    return Raw(items, interaction_frame(rated, "review"), no_users(), drops)


def _items(path: Path, drops: Drops) -> Iterator[dict[str, Any]]:
    for record in records(path, drops):
        title = text(record.get("title")) or ""
        if "getTime()" in title:  # some pages of 2018 were crawled as their JavaScript
            title = ""
        categories = texts(record.get("category") or record.get("categories"))
        group = clean_text(text(record.get("main_category")) or (categories or [""])[0])
        details = _details(record.get("details"))
        brand = clean_text(text(record.get("brand") or record.get("store") or details.get("Brand")))
        yield {
            "item_id": text(record.get("parent_asin") or record.get("asin")),
            "title": title,
            # The root of the path is the product group, the same for all items of a file.
            "categories": [name for name in categories[1:] or categories if len(name) <= _CATEGORY],
            "description": _description(record, brand),
            "extra": json_object(brand=brand, group=group, price=_price(record.get("price"))),
            "marks": [brand or None, text(details.get("Color"))],
        }


def _description(record: dict[str, Any], brand: str) -> str:
    """What the page says; failing that its first bullet point, failing that who made it."""
    said = texts(record.get("description")) or texts(record.get("features") or record.get("feature"))[:1]
    return clean_text(" ".join(said)) or (f"by {brand}" if brand else "")


def _details(value: Any) -> dict[str, Any]:
    if isinstance(value, str):
        try:
            value = parse(value)
        except ValueError:
            return {}
    return value if isinstance(value, dict) else {}


def _price(value: Any) -> float | None:
    """Dollars; the lower end of a range."""
    found = _PRICE.search(text(value) or "")
    return number(found.group().replace(",", "")) if found else None


def _reviews(path: Path, drops: Drops) -> pl.DataFrame:
    """Columns of either edition, side by side: what one lacks is null."""
    import polars as pl

    schema: dict[str, pl.DataType] = dict.fromkeys(
        ("reviewerID", "user_id", "asin", "parent_asin"), pl.String()
    )
    schema |= dict.fromkeys(("overall", "rating"), pl.Float64())
    schema |= dict.fromkeys(("unixReviewTime", "timestamp"), pl.Int64())
    return read_scalars(path, schema, drops).select(
        user_id=pl.coalesce("user_id", "reviewerID"),
        item_id=pl.coalesce("parent_asin", "asin"),
        value=pl.coalesce("rating", "overall"),
        timestamp=pl.coalesce(pl.col("timestamp") // 1000, "unixReviewTime"),
    )
