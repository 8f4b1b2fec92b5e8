"""Statistics of the data stage's tables by domain and by category, counted from the tables themselves."""

from __future__ import annotations

import typing
from pathlib import Path
from typing import Any

from rectune.core.figures.statistics import (
    DomainStatistics,
    Histories,
    PartStatistics,
    Popularity,
    Spread,
    TextCounts,
    TopShares,
    ValueCounts,
)
from rectune.evaluation.interaction_counts import InteractionCounter, InteractionCounts

if typing.TYPE_CHECKING:
    import numpy as np
    import polars as pl
    from numpy.typing import NDArray

    Counts = NDArray[np.int64]

_RANKS = 40


def describe(folder: Path) -> list[DomainStatistics]:
    """Figures of items.parquet, users.parquet and interactions.parquet in `folder`.

    Interactions are read in batches; memory is 8 bytes an interaction of the largest category (of the domain
    where it has none), and 16 bytes a user.

    Returns:
        by domain, in the order of the items.
    """
    import polars as pl

    items = pl.scan_parquet(folder / "items.parquet")
    if "category" not in items.collect_schema():
        items = items.with_columns(category=pl.lit(""))
    items = items.with_columns(pl.col("category").fill_null(""))
    texts = _texts(items)
    users = dict(pl.scan_parquet(folder / "users.parquet").group_by("domain").len().collect().iter_rows())
    spans = _spans(folder / "interactions.parquet")
    interactions = pl.scan_parquet(folder / "interactions.parquet")
    domains = []
    for name in texts["domain"].unique(maintain_order=True):
        rows = interactions.slice(*spans.get(name, (0, 0)))
        own = items.filter(pl.col("domain") == name).select("item", "category").collect()
        domains.append(_domain(rows, own, texts.filter(pl.col("domain") == name), users.get(name, 0)))
    return domains


def _texts(items: pl.LazyFrame) -> pl.DataFrame:
    """What the items say of themselves: counts by domain and category, domains in the table's order."""
    import polars as pl

    return (
        items.group_by("domain", "category", maintain_order=True)
        .agg(
            pl.len().alias("items"),
            (pl.col("description").fill_null("") != "").sum().alias("description"),
            (pl.col("categories").list.len().fill_null(0) > 0).sum().alias("categories"),
            pl.col("year").count().alias("year"),
            pl.col("title").str.len_chars().cast(pl.Int64).sum().alias("letters"),
        )
        .collect(engine="streaming")
    )


def _spans(path: Path) -> dict[str, tuple[int, int]]:
    """First row and number of rows of each domain; the table is grouped by domain.

    Row groups of one domain are told by their statistics, so that 57 million equal words are not read.
    """
    import pyarrow.parquet as pq

    file = pq.ParquetFile(path)
    column = file.schema_arrow.get_field_index("domain")
    counts: dict[str, int] = {}
    for place in range(file.num_row_groups):
        group = file.metadata.row_group(place)
        known = group.column(column).statistics
        if known is not None and known.has_min_max and known.min == known.max and not known.null_count:
            counts[known.min] = counts.get(known.min, 0) + group.num_rows
            continue
        names = file.read_row_group(place, columns=["domain"]).column("domain").combine_chunks()
        for found in names.value_counts().to_pylist():
            counts[found["values"]] = counts.get(found["values"], 0) + found["counts"]
    spans, start = {}, 0
    for name, count in counts.items():
        spans[name] = (start, count)
        start += count
    return spans


def _domain(rows: pl.LazyFrame, items: pl.DataFrame, texts: pl.DataFrame, users: int) -> DomainStatistics:
    import numpy as np
    import polars as pl

    names = sorted(texts["category"])
    groups = np.zeros(len(items), np.int64)
    codes = items["category"].replace_strict(names, range(len(names)), return_dtype=pl.Int64)
    groups[items["item"].to_numpy()] = codes.to_numpy()
    counter = InteractionCounter(groups, len(names), users)
    parts = counter.count(rows)
    whole = _figures(texts, counter.whole(parts), users)
    divided = zip(names, parts, strict=True) if names != [""] else ()
    domain = texts["domain"][0]
    categories = tuple(
        PartStatistics(
            domain=domain,
            category=name,
            **_figures(texts.filter(pl.col("category") == name), part, len(part.lengths)),
        )
        for name, part in divided
    )
    return DomainStatistics(domain=domain, category="", categories=categories, **whole)


def _figures(texts: pl.DataFrame, part: InteractionCounts, users: int) -> dict[str, Any]:
    """The fields of `PartStatistics` but for its names."""
    import polars as pl

    tally, items, rows = part.tally, int(texts["items"].sum()), int(part.tally["rows"].sum())
    kinds = tally.group_by("kind").agg(pl.col("rows").sum()).sort("rows", descending=True)
    described, categories, year = (int(texts[name].sum()) for name in ("description", "categories", "year"))
    return {
        "items": items,
        "users": users,
        "interactions": rows,
        "liked": int(part.liked.sum()),
        "kinds": dict(kinds.iter_rows()),
        "with_value": int(tally.filter(pl.col("value").is_not_null())["rows"].sum()),
        "with_time": int(tally["timed"].sum()),
        "first": _date(tally["first"].min()),
        "last": _date(tally["last"].max()),
        "repeated": part.repeated,
        "density": (rows - part.repeated) / (items * users) if items * users else 0.0,
        "items_seen": int((part.items > 0).sum()),
        "history": Histories(all=_spread(part.lengths), liked=_spread(part.liked)),
        "popularity": _popularity(part.items[part.items > 0]),
        "text": TextCounts(
            description=described,
            categories=categories,
            year=year,
            title_length=int(texts["letters"].sum()) / items,
        ),
        "values": ValueCounts(scale=part.scale, bars=_bars(tally)),
    }


def _date(milliseconds: Any) -> str | None:
    """The day of a time in milliseconds since 1970, of any year."""
    import numpy as np

    return (
        None if milliseconds is None else str(np.datetime64(int(milliseconds), "ms").astype("datetime64[D]"))
    )


def _spread(lengths: Counts) -> Spread:
    """Quantiles of numbers of 0 and more, and how many lie in [0, 1), [1, 2), [2, 4), [4, 8) …"""
    import numpy as np

    if not len(lengths):
        return Spread(min=None, quartiles=(None, None, None), p90=None, p99=None, max=None, buckets=())
    least, lower, median, upper, p90, p99, most = np.quantile(
        lengths, (0, 0.25, 0.5, 0.75, 0.9, 0.99, 1)
    ).tolist()
    powers = np.frexp(lengths)[1]  # 0 for 0, 1 for 1, 2 for 2 and 3, 3 for 4 to 7
    counts = enumerate(np.bincount(powers).tolist())
    return Spread(
        min=int(least),
        quartiles=(lower, median, upper),
        p90=p90,
        p99=p99,
        max=int(most),
        buckets=tuple((2**power // 2, count) for power, count in counts if count),
    )


def _popularity(items: Counts) -> Popularity:
    """How unevenly interactions lie on the items that have any."""
    import numpy as np

    if not len(items):
        return Popularity(
            top=TopShares(percent_1=None, percent_10=None, percent_20=None), gini=None, ranks=()
        )
    falling = np.sort(items)[::-1]
    count, whole = len(falling), int(falling.sum())
    one, ten, twenty = (float(falling[: -(-count * percent // 100)].sum() / whole) for percent in (1, 10, 20))
    # Gini's coefficient of sorted figures: the sum of (n + 1 - 2 * rank) * x, over n times the sum of x.
    gini = float((count + 1 - 2 * np.arange(1, count + 1)) @ falling / (count * whole))
    ranks = np.unique(np.geomspace(1, count, _RANKS).round().astype(np.int64))
    return Popularity(
        top=TopShares(percent_1=one, percent_10=ten, percent_20=twenty),
        gini=gini,
        ranks=tuple((rank, int(falling[rank - 1])) for rank in ranks.tolist()),
    )


def _bars(tally: pl.DataFrame) -> tuple[tuple[float, int, int], ...]:
    """(value, liked, others) in rising order; what is no finite number is left out."""
    import polars as pl

    liked = pl.col("rows").filter(pl.col("liked")).sum()
    bars = (
        tally.filter(pl.col("value").is_finite())
        .group_by("value")
        .agg(liked, pl.col("rows").sum().alias("all"))
    )
    return tuple((value, good, whole - good) for value, good, whole in bars.sort("value").iter_rows())
