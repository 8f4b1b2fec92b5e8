"""A dataset as clean tables: what all readers have in common is done here, once."""

from __future__ import annotations

import typing
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from rectune.core.errors import UserError
from rectune.core.prefetch import prefetch
from rectune.core.progress import progress, say
from rectune.core.tables import interaction_schema, item_schema, user_schema
from rectune.datagen.datasets.dedup import distinct
from rectune.datagen.datasets.id_map import IdMap
from rectune.datagen.datasets.registry import Dataset, locate
from rectune.datagen.datasets.select import Selection, select
from rectune.datagen.datasets.unique_titles import tell_apart
from rectune.readers.drops import MALFORMED_LIMIT, Drops, drop_lines
from rectune.readers.items import common_title
from rectune.readers.text import clean_text, clean_title, shorten
from rectune.readers.times import EARLIEST

if typing.TYPE_CHECKING:
    import polars as pl

_UNKNOWN_ITEM = "interaction with an unknown item"


class Tables(NamedTuple):
    """The three tables of one dataset (see `rectune.core.tables`), and what was left out of them.

    They are lazy because the name of the domain in every row takes more memory than all the rest of it.
    """

    items: pl.LazyFrame
    users: pl.LazyFrame
    interactions: pl.LazyFrame
    stats: dict[str, Any]


def read_domain(
    dataset: Dataset,
    root: Path,
    malformed: float = MALFORMED_LIMIT,
    categories: Sequence[str] = (),
    wanted: Selection | None = None,
) -> Tables:
    """Read the files below root/<name>/ and clean them.

    Titles are free of HTML, control characters and stray white space, and unique within the domain (case set
    aside). Items are all that have a title; users those with an interaction, in order of first appearance.
    Interactions are sorted by user and, where there are times, by time; `order` is the place in the files.

    Args:
        dataset: a row of the registry.
        root: holds one folder a dataset.
        malformed: the share of a file's lines that may be malformed.
        categories: which of the dataset's categories are read; all that are there when empty.
        wanted: what is kept of it; all unless given.

    Returns:
        The tables and stats: `rows_in` and `rows_out` count interactions, `items_in` published items;
        `dropped` is reason -> count, `first` reason -> where it was met first in each file, `notes` are
        further lines for the person; `met_again` says whether any user has several interactions with one
        item.

    Raises:
        UserError: a file is missing or broken, or nothing usable is left.
    """
    layout, files = locate(dataset, root, categories)
    drops, domain = Drops(malformed_limit=malformed), dataset.domain
    try:
        raw = layout.read(files, drops)
        items = _clean_items(raw.items, drops).with_row_index("item")
        if items.is_empty():
            raise _nothing("item", dataset, root, drops)
        coder = _Coder(items["item_id"], drops, layout.ordered)
        coded = _one_frame(coder.coded(raw.interactions, f"reading {dataset.name}"))
        events, again = _without_repeats(_sorted(coded, layout.ordered), drops)
        users = _users(coder.users.texts(), raw.users)
        if wanted and not wanted.is_all:
            items, users, events = select(items, users, events, wanted, drops)
        if events.is_empty() and coder.seen:
            raise _nothing("interaction", dataset, root, drops)
    except UserError:
        say_drops(dataset.name, drops)  # what was left out until then often tells why
        raise
    _warn(coder, drops)
    licence, redistributable = dataset.terms(layout.name)
    stats = {
        "layout": layout.name,
        "licence": licence,
        "redistributable": redistributable,
        "ordered": layout.ordered,
        "met_again": again,
        "items_in": raw.items.height,
        "rows_in": coder.seen,
        "rows_out": events.height,
        "items": items.height,
        "users": users.height,
        "dropped": drops.counts,
        "first": {reason: tuple(places) for reason, places in drops.first.items()},
        "notes": tuple(drops.notes),
    }
    say_drops(dataset.name, drops)
    return Tables(
        _conformed(items.lazy(), item_schema(), domain),
        _conformed(users.lazy(), user_schema(), domain),
        _conformed(events.lazy(), interaction_schema(), domain),
        stats,
    )


def say_drops(name: str, drops: Drops) -> None:
    """Tell a person what was left out of a dataset, and what else is worth a look."""
    if drops.counts:
        say("\n".join([f"  {name}: left out on reading", *drop_lines(drops.counts, drops.first)]))
    for note in drops.notes:
        say(f"  {note}")


def _nothing(what: str, dataset: Dataset, root: Path, drops: Drops) -> UserError:
    """The error of a dataset of which all is left out, with the cause that took most of it."""
    causes = {reason: count for reason, count in drops.counts.items() if what in reason} or drops.counts
    reason = max(causes, key=lambda each: causes[each], default="")
    found = f"holds no usable {what}" + (f": {causes[reason]:,} times {reason}" if reason else "")
    hint = f"see what was left out above; get its files again from {dataset.home}, or fix them"
    if reason == _UNKNOWN_ITEM:
        hint = f"do both files belong together? {drops.first[reason][0]}" if reason in drops.first else hint
    return UserError(found, where=str(dataset.place(root)), hint=hint)


def _warn(coder: _Coder, drops: Drops) -> None:
    unknown = drops.counts.get(_UNKNOWN_ITEM, 0)
    if 2 * unknown > coder.seen:
        share = 100 * unknown / coder.seen
        drops.note(
            f"warning: {share:.0f} % of the {coder.seen:,} interactions name items that the other file lacks"
        )


def _clean_items(items: pl.DataFrame, drops: Drops) -> pl.DataFrame:
    import polars as pl

    items = _kept(items, pl.col("item_id").fill_null("") != "", "item without an id", drops)
    once = items.unique("item_id", keep="first", maintain_order=True)
    drops.add("item id seen before", items.height - once.height)
    titles = [clean_title(title) for title in once["title"]]
    descriptions = [shorten(clean_text(text)) for text in once["description"]]
    categories = [_categories(names) for names in once["categories"].to_list()]
    cleaned = once.with_columns(
        pl.Series("title", titles, dtype=pl.String),
        pl.Series("description", descriptions, dtype=pl.String),
        pl.Series("categories", categories, dtype=pl.List(pl.String)),
        pl.col("category").fill_null(""),
        pl.col("facts").fill_null([]),
    )
    named = _kept(cleaned, pl.col("title") != "", "item without a title", drops)
    if warning := common_title(named["title"].to_list()):
        drops.note(warning)
    told = tell_apart(named["title"].to_list(), named["marks"].to_list())
    return named.with_columns(pl.Series("title", told, dtype=pl.String))


def _kept(frame: pl.DataFrame, condition: pl.Expr, reason: str, drops: Drops) -> pl.DataFrame:
    kept = frame.filter(condition)
    drops.add(reason, frame.height - kept.height)
    return kept


def _categories(names: Sequence[str | None] | None) -> list[str]:
    cleaned = (clean_text(name) for name in names or ())
    return list(dict.fromkeys(name for name in cleaned if name))


class _Coder:
    """Turns batches of published interactions into codes; only codes are kept, whatever the size of the
    files.
    """

    def __init__(self, item_ids: pl.Series, drops: Drops, ordered: bool) -> None:
        self.users, self.seen = IdMap(), 0
        self._items, self._drops, self._ordered = IdMap(), drops, ordered
        self._items.of(_as_numbers(item_ids))
        self._known = len(self._items)

    def coded(self, batches: Iterable[pl.DataFrame], label: str) -> Iterator[pl.DataFrame]:
        """The usable interactions of each batch with the codes of users and items, and their place in the
        files.
        """
        with progress(label, 0, "interactions") as advance:
            for batch in prefetch(batches):
                yield self._coded(batch.with_columns(order=_places(self.seen, batch.height)))
                self.seen += batch.height
                advance(batch.height)

    def _coded(self, batch: pl.DataFrame) -> pl.DataFrame:
        import polars as pl

        whole = self._kept(batch, _named(batch), "interaction without a user or an item")
        whole = whole.with_columns(item=self._items.of(whole["item_id"]))
        known = self._kept(whole, pl.col("item") < self._known, _UNKNOWN_ITEM)
        if self._ordered:
            known = self._kept(known, pl.col("timestamp").is_not_null(), "interaction without a time")
            known = self._kept(known, pl.col("timestamp") >= EARLIEST, "interaction with a time before 1990")
        elif known["timestamp"].null_count() == known.height:
            # Takes no memory, as a column of numbers would.
            known = known.with_columns(timestamp=pl.lit(None))
        return known.with_columns(user=self.users.of(known["user_id"])).drop("user_id", "item_id")

    def _kept(self, batch: pl.DataFrame, condition: pl.Expr, reason: str) -> pl.DataFrame:
        good = batch.select(condition).to_series()
        if good.all():  # as nearly always, and copying every batch takes longer than looking
            return batch
        bad = batch.filter(~good)
        first = bad.row(0, named=True)
        where = f"interaction {first['order'] + 1:,}: user {first['user_id']}, item {first['item_id']}"
        self._drops.add(reason, bad.height, where)
        return batch.filter(good)


def _named(batch: pl.DataFrame) -> pl.Expr:
    """Whether user and item are there; a text may be empty."""
    import polars as pl

    texts = [name for name in ("user_id", "item_id") if batch.schema[name] == pl.String()]
    return pl.all_horizontal(
        pl.col("user_id", "item_id").is_not_null(), *(pl.col(name) != "" for name in texts)
    )


def _as_numbers(ids: pl.Series) -> pl.Series:
    """UInt32 where that says the same as the texts."""
    import polars as pl

    numbers = ids.cast(pl.UInt32, strict=False)
    return numbers if not numbers.null_count() and (numbers.cast(pl.String) == ids).all() else ids


def _places(start: int, count: int) -> pl.Series:
    import polars as pl

    return pl.int_range(start, start + count, dtype=pl.UInt32, eager=True)


def _one_frame(batches: Iterator[pl.DataFrame]) -> pl.DataFrame:
    import polars as pl

    schema = {**interaction_schema(), "timestamp": pl.Null()}
    del schema["domain"]
    return pl.concat([pl.DataFrame(schema=schema), *batches], how="diagonal_relaxed", rechunk=False)


def _users(user_ids: pl.Series, published: pl.DataFrame) -> pl.DataFrame:
    import polars as pl

    users = user_ids.alias("user_id").to_frame().with_row_index("user")
    about = published.unique("user_id", keep="first", maintain_order=True)
    joined = users.join(about, on="user_id", how="left", maintain_order="left")
    return joined.with_columns(pl.col("attributes").fill_null("{}"))


def _without_repeats(events: pl.DataFrame, drops: Drops) -> tuple[pl.DataFrame, bool]:
    """Interactions that repeat another in everything but their place are dropped; whether any user met an
    item twice.
    """
    kept, again = distinct(events, ("user", "item", "value", "kind", "timestamp"))
    drops.add("repeated interaction", events.height - kept.height)
    return kept, again


def _sorted(events: pl.DataFrame, ordered: bool) -> pl.DataFrame:
    """By user, then by time, then as in the files; files that are written by user cost nothing."""
    if not ordered and events["user"].is_sorted():
        return events
    return events.sort("user", "timestamp", "order") if ordered else events.sort("user", "order")


def _conformed(frame: pl.LazyFrame, schema: Mapping[str, pl.DataType], domain: str) -> pl.LazyFrame:
    """Exactly the columns and types of the schema; a reader that delivers anything else fails here."""
    import polars as pl

    table = frame.with_columns(domain=pl.lit(domain))
    return table.select(pl.col(name).cast(dtype) for name, dtype in schema.items())
