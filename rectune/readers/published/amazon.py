"""Amazon reviews: the editions of 2014 (some files Python literals), 2018 (seconds) and 2023 (parent_asin,
milliseconds).
"""

from __future__ import annotations

import functools
import re
import typing
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from rectune.readers.cells import number, parse, text, texts
from rectune.readers.drops import REVIEWS, Drops, Sizes
from rectune.readers.json_records import item_table, records, scan_scalars
from rectune.readers.raw import Raw, interaction_frame, no_users, review_frame
from rectune.readers.text import clean_text, json_object, shorten

if typing.TYPE_CHECKING:
    import polars as pl

# Whom the field `brand` or `store` names, by the published category.
_MAKERS = {"Digital_Music": "artist", "CDs_and_Vinyl": "artist", "Books": "author", "Kindle_Store": "author"}
_CATEGORY = 60  # characters: longer "categories" of 2018 are features that slipped in
_PRICE = re.compile(r"\d[\d,]*(?:\.\d+)?")
_FILE = re.compile(r"(?:meta_|reviews_)?(?P<category>.+?)(?:_\d+)?\.jsonl?(?:\.gz)?", re.IGNORECASE)
# Some titles of 2018 are the source of the page that the crawler was given.
_SCRIPT = re.compile(r"getTime\(\)|\bvar aPageStart\b|\bue_t0\b")
_STYLE = re.compile(r"<(style|script)\b.*?(?:</\1\s*>|$)", re.IGNORECASE | re.DOTALL)
_RULE = re.compile(r"[.#][A-Za-z][^{}<>]*\{\s*[a-z-]+\s*:[^{}<>]*\}")  # .a-box { color: red }
_cleaned = functools.lru_cache(1 << 16)(clean_text)  # brands and groups come again and again


def read(files: Sequence[Sequence[Path]], drops: Drops) -> Raw:
    """Read meta files and review files, of any number of categories and of any edition."""
    metas, reviews = files
    table = item_table(row for path in metas for row in items(path, drops))
    rated = (interaction_frame(rows, "review") for path in reviews for rows in _reviews(path, drops))
    return Raw(table, rated, no_users(), drops)


def reviews(files: Sequence[Sequence[Path]], drops: Drops) -> Iterator[pl.DataFrame]:
    """What was written in the reviews, with the columns of `rectune.readers.raw.review_columns`."""
    import polars as pl

    # [helpful, of all votes] in 2014, "1,024" in 2018, a number in 2023.
    votes = (
        pl.col("helpful_vote").cast(pl.String),
        pl.col("vote").str.replace_all(",", "", literal=True).str.extract(r"^\s*(\d+)"),
        pl.col("helpful").str.extract(r"(\d+)"),
    )
    told = {"text": pl.coalesce("text", "reviewText"), "helpful": pl.coalesce(votes)}
    for path in files[1]:
        for rows in _reviews(path, drops, told):
            yield review_frame(rows)


def category_of(path: Path) -> str:
    """The category that a file is of: Electronics for meta_Electronics.jsonl.gz and
    reviews_Electronics_5.json.
    """
    match = _FILE.fullmatch(path.name)
    return match["category"] if match else path.stem


def items(path: Path, drops: Drops) -> Iterator[dict[str, Any]]:
    """The products of a meta file, of any edition."""
    category = category_of(path)
    for record in records(path, drops):
        named = texts(record.get("category") or record.get("categories"))
        details = _details(record.get("details"))
        group = _cleaned(text(record.get("main_category")) or (named or [""])[0])
        brand = _cleaned(text(record.get("brand") or record.get("store") or details.get("Brand")))
        yield {
            "item_id": text(record.get("parent_asin") or record.get("asin")),
            "title": _title(text(record.get("title")) or ""),
            # The root of each path is the product group, the same for all items of a file.
            "categories": [name for name in named if name != named[0] and len(name) <= _CATEGORY]
            or named[:1],
            "description": _description(record),
            "facts": [f"{_MAKERS.get(category, 'brand')}: {brand}"] if brand else [],
            "extra": json_object(brand=brand, group=group, price=_price(record.get("price"))),
            "marks": [brand or None, text(details.get("Color"))],
            "category": category,
        }


def _title(published: str) -> str:
    """The title without style sheets; empty where a page's script stands in its place."""
    if "<" in published:
        published = _STYLE.sub(" ", published)
    if "{" in published:
        published = _RULE.sub(" ", published)
    return "" if _SCRIPT.search(published) else published


def _description(record: dict[str, Any]) -> str:
    """What the page says; failing that its first bullet point."""
    said = texts(record.get("description")) or texts(record.get("features") or record.get("feature"))[:1]
    return shorten(clean_text(" ".join(said)))


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


def _reviews(path: Path, drops: Drops, told: Mapping[str, pl.Expr] | None = None) -> Iterator[pl.DataFrame]:
    """Columns of all editions, side by side: what one lacks is null.

    What was written in a review is read only where it is asked for (`told`).
    """
    import polars as pl

    schema: dict[str, pl.DataType] = dict.fromkeys(
        ("reviewerID", "user_id", "asin", "parent_asin"), pl.String()
    )
    schema |= dict.fromkeys(("overall", "rating"), pl.Float64())
    schema |= dict.fromkeys(("unixReviewTime", "timestamp"), pl.Int64())
    if told:
        schema |= dict.fromkeys(("text", "reviewText", "helpful", "vote"), pl.String())
        schema["helpful_vote"] = pl.Int64()
    for rows in scan_scalars(path, schema, drops, REVIEWS if told else Sizes()):
        yield rows.select(
            user_id=pl.coalesce("user_id", "reviewerID"),
            item_id=pl.coalesce("parent_asin", "asin"),
            value=pl.coalesce("rating", "overall"),
            timestamp=pl.coalesce("timestamp", pl.col("unixReviewTime") * 1000),
            **(told or {}),
        )
