"""Opinions: the most helpful sentences of reviews, as facts of the items.

Facts are the same for every case, so an opinion comes from nobody who has one: whoever is in a training,
preference or test case, in any dataset that shares user ids, is not quoted. Nor is what was written after the
time that training ends with. Reviews are read once more, batch by batch, when the cases are known; of each
item only the best few sentences are held, as columns.
"""

from __future__ import annotations

import typing
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from rectune.core import settings
from rectune.core.figures.data import OpinionCounts
from rectune.core.progress import progress, say
from rectune.core.settings.data import moment
from rectune.core.types import Case, Split, opinion_fact
from rectune.datagen.dataset_cache import CachedDataset
from rectune.datagen.datasets.registry import locate
from rectune.datagen.review_sentences import best_sentence, unlike
from rectune.datagen.sources import CaseSource
from rectune.readers.drops import Drops, drop_lines

if typing.TYPE_CHECKING:
    import polars as pl

_TOLD = "items_with_opinions.parquet"
_SPARE = 2  # sentences of an item that are held beyond those wanted, in case some are nearly equal
_ROWS = 100_000  # sentences that are waiting before the best of each item are chosen anew


def items_file(part: CachedDataset) -> Path:
    """The table of a dataset's items, with opinions where there are some."""
    told = part.folder / _TOLD
    return told if told.is_file() else part.file("items")


def add_opinions(
    parts: Sequence[CachedDataset],
    sources: Sequence[CaseSource],
    cases: Mapping[tuple[str, Split], Sequence[Case]],
    data: settings.DataConfig,
) -> dict[str, OpinionCounts]:
    """Write tables of items with at most `data.reviews` opinions each (see `items_file`); the counts by
    dataset.

    Raises:
        UserError: a file of reviews cannot be read.
    """
    found, silent = {}, []
    for part in parts:
        categories = data.categories.get(part.name, ())
        layout, files = locate(part.dataset, data.folder, categories)
        if not layout.reviews:
            silent.append(part.name)
            continue
        drops = Drops(malformed_limit=data.malformed)
        chosen = _Chosen(
            part, _in_cases(part.dataset.people, sources, cases), _span(part, sources, data), data
        )
        chosen.read(layout.read_reviews(files, drops))
        opinions = chosen.opinions()
        _write(part, opinions)
        counts = chosen.counts(opinions)
        say("\n".join([_described(part.name, counts), *_new_drops(part, drops)]))
        found[part.name] = counts
    if silent:
        say(f"  no opinions: no reviews are published with {', '.join(silent)}")
    return found


def _in_cases(
    people: str, sources: Sequence[CaseSource], cases: Mapping[tuple[str, Split], Sequence[Case]]
) -> set[str]:
    """The ids of the users who are in any case of the datasets that share user ids."""
    own = {source.name for source in sources if source.pool.people == people}
    return {case.user for (name, _), some in cases.items() if name in own for case in some}


class _Span(typing.NamedTuple):
    """From when to when (ms since 1970, both included) reviews are taken; None where there is no limit."""

    since: int | None
    until: int | None


def _span(part: CachedDataset, sources: Sequence[CaseSource], data: settings.DataConfig) -> _Span:
    ends = [source.rules.until for source in sources if source.target.part is part]
    if data.until:
        ends.append(moment(data.until, end=True) - 1)
    known = [end for end in ends if end is not None]
    return _Span(moment(data.since) if data.since else None, min(known, default=None))


class _Chosen:
    """Reads the reviews of one dataset and holds the best sentences of each item."""

    def __init__(
        self, part: CachedDataset, in_cases: set[str], span: _Span, data: settings.DataConfig
    ) -> None:
        import polars as pl

        self._titles = part.items["title"].to_list()
        self._codes = part.items.select("item_id", "item")
        self._in_cases = pl.Series(sorted(in_cases), dtype=pl.String)
        self._span, self._wanted, self._name = span, data.reviews, part.name
        self._held = pl.DataFrame(schema=_columns())
        self._full = pl.DataFrame(schema={"item": pl.UInt32(), "least": pl.Int64()})
        self._waiting: list[pl.DataFrame] = []
        self._tally = dict.fromkeys(("reviews", "in_cases", "out_of_time", "personal"), 0)

    def read(self, batches: Iterator[pl.DataFrame]) -> None:
        """Read all reviews."""
        with progress(f"reading what was written in {self._name}", 0, "reviews") as advance:
            for batch in batches:
                self._take(self._allowed(batch))
                advance(batch.height)
        self._settle()

    def opinions(self) -> pl.DataFrame:
        """Columns item and opinions (facts as text, the most helpful first), of items that have any."""
        import polars as pl

        grouped = self._held.group_by("item", maintain_order=True).agg("sentence")
        lists = [
            [opinion_fact(each) for each in unlike(found, self._wanted)] for found in grouped["sentence"]
        ]
        return grouped.select("item", pl.Series("opinions", lists, dtype=pl.List(pl.String)))

    def counts(self, opinions: pl.DataFrame) -> OpinionCounts:
        """What became of the reviews, of which these opinions were made."""
        total = int(opinions["opinions"].list.len().sum())
        return OpinionCounts(items=opinions.height, opinions=total, **self._tally)

    def _allowed(self, batch: pl.DataFrame) -> pl.DataFrame:
        """The reviews of known items that may be quoted, with the items' codes."""
        import polars as pl

        rows = batch.join(self._codes, on="item_id", maintain_order="left")
        self._tally["reviews"] += rows.height
        free = rows.filter(~pl.col("user_id").is_in(self._in_cases.implode()))
        self._tally["in_cases"] += rows.height - free.height
        time, limits = pl.col("timestamp"), list[pl.Expr]()
        limits += [] if self._span.since is None else [time >= self._span.since]
        limits += [] if self._span.until is None else [time <= self._span.until]
        timely = free.filter(pl.all_horizontal(*limits).fill_null(False)) if limits else free
        self._tally["out_of_time"] += free.height - timely.height
        return timely

    def _take(self, rows: pl.DataFrame) -> None:
        """The best sentence of each review that could be among the best of its item."""
        import polars as pl

        rows = rows.join(self._full, on="item", how="left", maintain_order="left")
        rows = rows.filter((pl.col("helpful") >= pl.col("least")).fill_null(True))
        found = [
            best_sentence(text, self._titles[item]) for item, text in rows.select("item", "text").iter_rows()
        ]
        self._tally["personal"] += sum(each.personal for each in found)
        told = rows.select("item", "helpful", author=pl.col("user_id").hash())
        told = told.with_columns(pl.Series("sentence", [each.text for each in found], dtype=pl.String))
        told = told.with_columns(length=pl.col("sentence").str.len_chars()).filter(pl.col("length") > 0)
        self._waiting.append(told.select(list(_columns())))
        if sum(frame.height for frame in self._waiting) >= max(_ROWS, self._held.height):
            self._settle()

    def _settle(self) -> None:
        """Keep the best few of each item: most helpful first, then the longer one, one a person."""
        import polars as pl

        order = ("item", "helpful", "length", "sentence")
        rows = pl.concat([self._held, *self._waiting]).sort(order, descending=[False, True, True, False])
        for key in ("author", "sentence"):
            rows = rows.filter(pl.struct("item", key).is_first_distinct())
        most = self._wanted + _SPARE
        self._held = rows.filter(pl.int_range(pl.len()).over("item") < most)
        self._waiting = []
        counts = self._held.group_by("item").agg(
            pl.len().alias("count"), pl.col("helpful").min().alias("least")
        )
        self._full = counts.filter(pl.col("count") == most).select("item", "least")


def _columns() -> dict[str, pl.DataType]:
    import polars as pl

    return {
        "item": pl.UInt32(),
        "helpful": pl.Int64(),
        "author": pl.UInt64(),
        "sentence": pl.String(),
        "length": pl.UInt32(),
    }


def _write(part: CachedDataset, opinions: pl.DataFrame) -> None:
    """The items with their opinions behind their other facts."""
    import polars as pl

    items = pl.scan_parquet(part.file("items"))
    told = items.join(opinions.lazy(), on="item", how="left", maintain_order="left")
    facts = pl.concat_list(pl.col("facts").fill_null([]), pl.col("opinions").fill_null([]))
    partial = part.folder / f"{_TOLD}.partial"
    told.with_columns(facts=facts).drop("opinions").sink_parquet(
        partial, compression="zstd", compression_level=1
    )
    partial.replace(part.folder / _TOLD)


def _described(name: str, counts: OpinionCounts) -> str:
    return (
        f"  {name}: {counts.opinions:,} opinions on {counts.items:,} items, "
        f"out of {counts.reviews:,} reviews\n"
        f"    left out: {counts.in_cases:,} reviews of people in cases, {counts.out_of_time:,} out of time, "
        f"{counts.personal:,} sentences with personal data"
    )


def _new_drops(part: CachedDataset, drops: Drops) -> list[str]:
    """What was left out on reading reviews, without what was told when the interactions were read."""
    before = part.counts.first
    new = {
        reason: count
        for reason, count in drops.counts.items()
        if not set(drops.first.get(reason, ())) <= set(before.get(reason, ()))
        or reason not in part.counts.dropped
    }
    return drop_lines(new, drops.first)
