"""Which interactions, items and users of a dataset are kept: times, likes, the k-core, what an item must
have.
"""

from __future__ import annotations

import typing
from dataclasses import dataclass

from rectune.core import settings
from rectune.core.settings.data import moment
from rectune.readers.drops import Drops

if typing.TYPE_CHECKING:
    import polars as pl

_LEFT_OUT = "interaction with an item or a user that is left out"


@dataclass(frozen=True)
class Selection:
    """What is kept of a dataset; times in milliseconds since 1970. `liked` is from where on something is
    liked.
    """

    liked: float
    since: int | None = None
    until: int | None = None
    min_item_likes: int = 0
    k_core: int = 0
    require: tuple[str, ...] = ()

    @classmethod
    def of(cls, data: settings.DataConfig, liked: float) -> Selection:
        """As a recipe says."""
        since = moment(data.since) if data.since else None
        until = moment(data.until, end=True) if data.until else None
        return cls(liked, since, until, data.min_item_likes, data.k_core, tuple(data.require))

    @property
    def is_all(self) -> bool:
        """Whether nothing is left out."""
        return self == Selection(self.liked)


def select(
    items: pl.DataFrame, users: pl.DataFrame, events: pl.DataFrame, wanted: Selection, drops: Drops
) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    """The tables without what is not wanted, with codes that are dense again; all that goes is counted.

    Args:
        items: column `item` (dense codes in order) and those that may be required.
        users: column `user` (dense codes in order).
        events: columns user, item, value, timestamp, in their order.
    """
    import polars as pl

    events = _in_time(events, wanted, drops)
    keep = (
        pl.Series([True]).new_from_index(0, items.height) if items.height else pl.Series([], dtype=pl.Boolean)
    )
    for name in wanted.require:
        lacks = items.select(_lacks(items, name)).to_series()
        drops.add(f"item without {_WORDS[name]}", int((keep & lacks).sum()))
        keep &= ~lacks
    likes = events.filter(pl.col("value") >= wanted.liked).select("user", "item").unique()
    likes = likes.filter(pl.col("item").is_in(items["item"].filter(keep).implode()))
    if wanted.min_item_likes:
        counts = _counts(likes, "item", items.height)
        few = keep & (counts < wanted.min_item_likes)
        drops.add(f"item with fewer than {wanted.min_item_likes} likes", int(few.sum()))
        keep &= ~few
        likes = likes.filter(pl.col("item").is_in(items["item"].filter(keep).implode()))
    people = None
    if wanted.k_core:
        core = _k_core(likes, wanted.k_core)
        inside = items["item"].is_in(core["item"].unique().implode())
        people = users["user"].is_in(core["user"].unique().implode())
        drops.add(f"item outside the {wanted.k_core}-core", int((keep & ~inside).sum()))
        keep &= inside
        met = users["user"].is_in(events["user"].unique().implode())
        drops.add(f"user outside the {wanted.k_core}-core", int((met & ~people).sum()))
    events = _only(events, "item", items["item"].filter(keep), drops)
    if people is not None:
        events = _only(events, "user", users["user"].filter(people), drops)
    users = users.filter(pl.col("user").is_in(events["user"].unique().implode()))
    items = items.filter(keep)
    return _dense(items, "item"), _dense(users, "user"), _recoded(events, items, users)


_WORDS = {"description": "a description", "categories": "categories", "year": "a year"}


def _in_time(events: pl.DataFrame, wanted: Selection, drops: Drops) -> pl.DataFrame:
    import polars as pl

    time = pl.col("timestamp")
    if events["timestamp"].null_count() == events.height:
        if (wanted.since, wanted.until) != (None, None):
            drops.note("data.since and data.until leave this dataset as it is: it has no times")
        return events
    for reason, bad in (
        ("interaction before data.since", None if wanted.since is None else time < wanted.since),
        ("interaction after data.until", None if wanted.until is None else time >= wanted.until),
    ):
        if bad is not None:
            kept = events.filter(~bad)
            drops.add(reason, events.height - kept.height)
            events = kept
    return events


def _lacks(items: pl.DataFrame, name: str) -> pl.Expr:
    import polars as pl

    if name == "categories":
        return pl.col(name).list.len().fill_null(0) == 0
    return pl.col(name).is_null() if name == "year" else pl.col(name).fill_null("") == ""


def _counts(likes: pl.DataFrame, name: str, size: int) -> pl.Series:
    """[size] likes by code."""
    import numpy as np
    import polars as pl

    return pl.Series(np.bincount(likes[name].to_numpy(), minlength=size))


def _k_core(likes: pl.DataFrame, k: int) -> pl.DataFrame:
    """The largest part of the likes in which every user and every item has at least k of them."""
    import polars as pl

    while True:
        kept = likes
        for name in ("user", "item"):
            kept = kept.filter(pl.len().over(name) >= k)
        if kept.height == likes.height:
            return kept
        likes = kept


def _only(events: pl.DataFrame, name: str, codes: pl.Series, drops: Drops) -> pl.DataFrame:
    import polars as pl

    kept = events.filter(pl.col(name).is_in(codes.implode()))
    drops.add(_LEFT_OUT, events.height - kept.height)
    return kept


def _dense(frame: pl.DataFrame, name: str) -> pl.DataFrame:
    return frame.drop(name).with_row_index(name)


def _recoded(events: pl.DataFrame, items: pl.DataFrame, users: pl.DataFrame) -> pl.DataFrame:
    """The events with the new codes, by user again; `items` and `users` still have the old ones."""
    import polars as pl

    for name, frame in (("item", items), ("user", users)):
        new = frame.select(pl.col(name).alias("old")).with_row_index("new")
        codes = events.select(name).join(new, left_on=name, right_on="old", how="left", maintain_order="left")
        events = events.with_columns(codes["new"].alias(name))
    return events
