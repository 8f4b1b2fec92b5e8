"""A dataset as clean tables: what all readers have in common is done here, once."""

from __future__ import annotations

import importlib
import typing
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from datagen.datasets.raw import Drops, Raw
from datagen.datasets.registry import Dataset, by_pattern
from datagen.datasets.text import clean_text, shorten
from rectune.errors import UserError
from rectune.tables import interaction_schema, item_schema, user_schema

if typing.TYPE_CHECKING:
    import polars as pl


class Tables(NamedTuple):
    """The three tables of one dataset (see `rectune.tables`), and what was left out of them."""

    items: pl.DataFrame
    users: pl.DataFrame
    interactions: pl.DataFrame
    stats: dict[str, Any]


def read_domain(dataset: Dataset, root: Path) -> Tables:
    """Read the files below root/<name>/ and clean them.

    Titles are free of HTML, control characters and stray white space, and unique within the domain (case set
    aside). Items are all that have a title; users those with an interaction, in order of first appearance.

    Returns:
        The tables and stats: `rows_in` and `rows_out` count interactions, `items_in` published items;
        `dropped` is reason -> count, `first` reason -> where it was met first.

    Raises:
        UserError: a file is missing or broken, or nothing usable is left.
    """
    raw = _reader(dataset)(by_pattern(dataset, root))
    drops, domain = raw.drops, dataset.domain
    items = _clean_items(raw.items, drops).with_row_index("item")
    known = _known(raw.interactions, items, drops)
    users = _users(known, raw.users)
    events = _events(known, users, drops)
    if events.is_empty():
        mend = f"get its files again from {dataset.home}"
        raise UserError("holds no usable interaction", where=str(root / dataset.name), mend=mend)
    stats = {
        "items_in": raw.items.height,
        "rows_in": raw.interactions.height,
        "rows_out": events.height,
        "items": items.height,
        "users": users.height,
        "dropped": drops.counts,
        "first": drops.first,
    }
    return Tables(
        _conformed(items, item_schema(), domain),
        _conformed(users, user_schema(), domain),
        _conformed(events, interaction_schema(), domain),
        stats,
    )


def _reader(dataset: Dataset) -> Callable[[Sequence[Sequence[Path]]], Raw]:
    module, _, function = dataset.reader.partition(":")
    found: Callable[[Sequence[Sequence[Path]]], Raw] = getattr(importlib.import_module(module), function)
    return found


def _clean_items(items: pl.DataFrame, drops: Drops) -> pl.DataFrame:
    import polars as pl

    items = _kept(items, pl.col("item_id").fill_null("") != "", "item without an id", drops)
    once = items.unique("item_id", keep="first", maintain_order=True)
    drops.add("item id seen before", items.height - once.height)
    titles = [clean_text(title) for title in once["title"]]
    descriptions = [shorten(clean_text(text)) for text in once["description"]]
    categories = [_categories(names) for names in once["categories"].to_list()]
    cleaned = once.with_columns(
        pl.Series("title", titles, dtype=pl.String),
        pl.Series("description", descriptions, dtype=pl.String),
        pl.Series("categories", categories, dtype=pl.List(pl.String)),
    )
    named = _kept(cleaned, pl.col("title") != "", "item without a title", drops)
    told = tell_apart(named["title"].to_list(), named["marks"].to_list())
    return named.with_columns(pl.Series("title", told, dtype=pl.String))


def _kept(frame: pl.DataFrame, condition: pl.Expr, reason: str, drops: Drops) -> pl.DataFrame:
    kept = frame.filter(condition)
    drops.add(reason, frame.height - kept.height)
    return kept


def _categories(names: Sequence[str | None] | None) -> list[str]:
    cleaned = (clean_text(name) for name in names or ())
    return list(dict.fromkeys(name for name in cleaned if name))


def tell_apart(titles: Sequence[str], marks: Sequence[Sequence[str | None] | None]) -> list[str]:
    """Titles that differ from each other, case set aside.

    Items of one title get their first mark (a year, an author, a city) in brackets if it differs among
    them, then the next; those that are still alike are numbered from the second on, in the order given.
    """
    told = list(titles)
    for level in range(max((len(each or ()) for each in marks), default=0)):
        for group in _alike(told):
            found = {place: mark for place in group if (mark := _mark(marks[place], level))}
            if len({found.get(place, "").casefold() for place in group}) > 1:
                for place, mark in found.items():
                    told[place] = f"{told[place]} ({mark})"
    return _numbered(told)


def _mark(marks: Sequence[str | None] | None, level: int) -> str | None:
    return clean_text(marks[level]) or None if marks and level < len(marks) else None


def _alike(titles: Sequence[str]) -> list[list[int]]:
    """The places of titles that occur more than once, a group a title."""
    folded = [title.casefold() for title in titles]
    counts = Counter(folded)
    groups: dict[str, list[int]] = {}
    for place, title in enumerate(folded):
        if counts[title] > 1:
            groups.setdefault(title, []).append(place)
    return list(groups.values())


def _numbered(titles: Sequence[str]) -> list[str]:
    taken = {title.casefold() for title in titles}
    met: dict[str, int] = {}
    result = []
    for title in titles:
        folded = title.casefold()
        number = met.get(folded, 0) + 1
        if number > 1:
            while f"{folded} ({number})" in taken:
                number += 1
            taken.add(f"{folded} ({number})")
            title = f"{title} ({number})"
        met[folded] = number
        result.append(title)
    return result


def _known(interactions: pl.DataFrame, items: pl.DataFrame, drops: Drops) -> pl.DataFrame:
    """Interactions of items that are there, with the items' codes, in file order."""
    import polars as pl

    named = pl.all_horizontal(pl.col("user_id", "item_id").fill_null("") != "")
    whole = _kept(interactions, named, "interaction without a user or an item", drops)
    coded = whole.join(items.select("item_id", "item"), on="item_id", how="left", maintain_order="left")
    matched = pl.col("item").is_not_null()
    return _kept(coded.drop("item_id"), matched, "interaction with an unknown item", drops)


def _users(known: pl.DataFrame, published: pl.DataFrame) -> pl.DataFrame:
    import polars as pl

    users = known.select(pl.col("user_id").unique(maintain_order=True)).with_row_index("user")
    about = published.unique("user_id", keep="first", maintain_order=True)
    joined = users.join(about, on="user_id", how="left", maintain_order="left")
    return joined.with_columns(pl.col("attributes").fill_null("{}"))


def _events(known: pl.DataFrame, users: pl.DataFrame, drops: Drops) -> pl.DataFrame:
    """Interactions with users' codes; those that repeat another in everything but their place are dropped."""
    import polars as pl

    coded = known.join(users.select("user_id", "user"), on="user_id", how="left", maintain_order="left")
    # Where user and item meet once, nothing is repeated; comparing only the others whole halves the memory.
    pair = pl.col("user").cast(pl.UInt64) * 2**32 + pl.col("item")
    again = coded.filter(pair.is_duplicated())
    repeated = again.filter(~pl.struct("user", "item", "value", "kind", "timestamp").is_first_distinct())
    drops.add("repeated interaction", repeated.height)
    return coded.join(repeated, on="order", how="anti", maintain_order="left") if repeated.height else coded


def _conformed(frame: pl.DataFrame, schema: Mapping[str, pl.DataType], domain: str) -> pl.DataFrame:
    """Exactly the columns and types of the schema; a reader that delivers anything else fails here."""
    import polars as pl

    table = frame.with_columns(domain=pl.lit(domain))
    return table.select(pl.col(name).cast(dtype) for name, dtype in schema.items())
