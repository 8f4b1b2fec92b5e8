"""Statistics of the data stage's tables by domain and by category, counted from the tables themselves."""

from __future__ import annotations

import typing
from pathlib import Path
from typing import Any

from rectune.evaluation.interaction_counts import InteractionCounter, InteractionCounts

if typing.TYPE_CHECKING:
    import numpy as np
    import polars as pl
    from numpy.typing import NDArray

    Counts = NDArray[np.int64]

TOP = (1, 10, 20)  # percent of the items, the most popular ones
_RANKS = 40


def describe(folder: Path) -> list[dict[str, Any]]:
    """Figures of items.parquet, users.parquet and interactions.parquet in `folder`.

    Interactions are read in batches; memory is 8 bytes an interaction of the largest category (of the domain
    where it has none), and 16 bytes a user.

    Returns:
        for each domain `domain`, `category` ("" for the domain as a whole) and

        * counts: `items`, `users`, `interactions`, `liked`, `with_value`, `with_time`, `repeated`
          (interactions of a user with an item that he or she has met before), `items_seen` (with an
          interaction), `kinds` (by kind);
        * `density` (pairs of user and item that met, of all pairs), `first` and `last` (dates, UTC, or null);
        * `history`: for `all` and `liked` the lengths of the users' histories: `min`, `quartiles`, `p90`,
          `p99`, `max`, and `buckets` [[from, users]], where `from` is 0, 1, 2, 4, 8 …; quantiles are null
          without users;
        * `popularity` of the items seen: `top` (share of the interactions on the top 1, 10, 20 % of them),
          `gini`, `ranks` [[rank, interactions]] at log-spaced ranks;
        * `text`: items with a `description`, with `categories`, with a `year`; mean `title_length` in
            characters;
        * `values`: `scale` ("exact", or "log2": counted in powers of two) and `bars` [[from, liked, others]];

        and `categories`: the same for each category, empty where the dataset has none.
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


def _domain(rows: pl.LazyFrame, items: pl.DataFrame, texts: pl.DataFrame, users: int) -> dict[str, Any]:
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
    categories = [
        {"domain": texts["domain"][0], "category": name}
        | _figures(texts.filter(pl.col("category") == name), part, len(part.lengths))
        for name, part in divided
    ]
    return {"domain": texts["domain"][0], "category": ""} | whole | {"categories": categories}


def _figures(texts: pl.DataFrame, part: InteractionCounts, users: int) -> dict[str, Any]:
    """One entry of `describe`, but for its names."""
    import polars as pl

    tally, items, rows = part.tally, int(texts["items"].sum()), int(part.tally["rows"].sum())
    kinds = tally.group_by("kind").agg(pl.col("rows").sum()).sort("rows", descending=True)
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
        "history": {"all": _spread(part.lengths), "liked": _spread(part.liked)},
        "popularity": _popularity(part.items[part.items > 0]),
        "text": {name: int(texts[name].sum()) for name in ("description", "categories", "year")}
        | {"title_length": texts["letters"].sum() / items},
        "values": {"scale": part.scale, "bars": _bars(tally)},
    }


def _date(seconds: Any) -> str | None:
    """The day of a time in seconds since 1970, of any year."""
    import numpy as np

    return None if seconds is None else str(np.datetime64(int(seconds), "s").astype("datetime64[D]"))


def _spread(lengths: Counts) -> dict[str, Any]:
    """Quantiles of numbers of 0 and more, and how many lie in [0, 1), [1, 2), [2, 4), [4, 8) …"""
    import numpy as np

    if not len(lengths):
        return {"min": None, "quartiles": [None] * 3, "p90": None, "p99": None, "max": None, "buckets": []}
    least, *quartiles, p90, p99, most = np.quantile(lengths, (0, 0.25, 0.5, 0.75, 0.9, 0.99, 1)).tolist()
    powers = np.frexp(lengths)[1]  # 0 for 0, 1 for 1, 2 for 2 and 3, 3 for 4 to 7
    buckets = [[2**power // 2, count] for power, count in enumerate(np.bincount(powers).tolist()) if count]
    return {
        "min": int(least),
        "quartiles": quartiles,
        "p90": p90,
        "p99": p99,
        "max": int(most),
        "buckets": buckets,
    }


def _popularity(items: Counts) -> dict[str, Any]:
    """How unevenly interactions lie on the items that have any."""
    import numpy as np

    if not len(items):
        return {"top": dict.fromkeys(map(str, TOP)), "gini": None, "ranks": []}
    falling = np.sort(items)[::-1]
    count, whole = len(falling), int(falling.sum())
    top = {str(percent): float(falling[: -(-count * percent // 100)].sum() / whole) for percent in TOP}
    # Gini's coefficient of sorted figures: the sum of (n + 1 - 2 * rank) * x, over n times the sum of x.
    gini = float((count + 1 - 2 * np.arange(1, count + 1)) @ falling / (count * whole))
    ranks = np.unique(np.geomspace(1, count, _RANKS).round().astype(np.int64))
    return {"top": top, "gini": gini, "ranks": [[rank, int(falling[rank - 1])] for rank in ranks.tolist()]}


def _bars(tally: pl.DataFrame) -> list[list[float]]:
    """[value, liked, others] in rising order; what is no finite number is left out."""
    import polars as pl

    liked = pl.col("rows").filter(pl.col("liked")).sum()
    bars = (
        tally.filter(pl.col("value").is_finite())
        .group_by("value")
        .agg(liked, pl.col("rows").sum().alias("all"))
    )
    return [[value, good, whole - good] for value, good, whole in bars.sort("value").iter_rows()]
