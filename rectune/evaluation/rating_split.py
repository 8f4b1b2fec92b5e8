"""Holding out a share of the ratings of known users at random, and what the held-out ones say of a list."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rectune.core.errors import UserError
from rectune.core.rng import generator_of
from rectune.core.tables import read_table
from rectune.rankers.domain_data import TrainLikes

SCALES = (5.0, 10.0)  # the highest rating of the scales that are known
_PROMOTER, _DETRACTOR = 0.9, 0.6  # of the scale: from 9 of 10 on, and up to 6 of 10


@dataclass(frozen=True)
class JudgedUser:
    """A user with held-out ratings.

    Attributes:
        history: the items that the user promoted among the ratings that were kept, oldest first.
        absent: all that the user met but the held-out items; no list holds it.
        held_out: item -> +1 for a promoter (9 or 10 of 10), 0 for a passive, -1 for a detractor (up to 6).
    """

    history: tuple[str, ...]
    absent: frozenset[str]
    held_out: dict[str, int]


@dataclass(frozen=True)
class RatingSplit:
    """The ratings of a domain, split.

    Attributes:
        promoted: the items that users promoted among the ratings that were kept: what rankers are fitted on.
        users: who can be judged: with a history and a held-out rating.
        scale: the highest rating there can be.
        ratings, held_out: how many.
        without_history: users with a held-out rating and no history.
    """

    promoted: TrainLikes
    users: tuple[JudgedUser, ...]
    scale: float
    ratings: int
    held_out: int
    without_history: int


def split_ratings(data: Path, domain: str, fraction: float, seed: int) -> RatingSplit:
    """Hold out a share of all ratings of a domain, drawn at random (not by user, nor by time).

    Of a user and an item the last rating counts.

    Args:
        data: the folder with items.parquet and interactions.parquet.
        domain: whose ratings.
        fraction: which share of them, above 0 and below 1.
        seed: of the draw.

    Raises:
        UserError: the domain has no ratings, they are above 10, or none is held out.
    """
    import polars as pl

    own = pl.col("domain") == domain
    items = read_table(data / "items.parquet").filter(own).select("item", "item_id").sort("item")
    met = (
        pl.scan_parquet(data / "interactions.parquet")
        .filter(own)
        .select(pl.col("user", "item").cast(pl.Int64), "value", "kind", "timestamp", "order")
        .sort("user", "timestamp", "order")
        .unique(["user", "item"], keep="last", maintain_order=True)
        .collect(engine="streaming")
    )
    rated = (met["value"].is_not_null() & (met["kind"] == "rating")).to_numpy()
    where = f"{data / 'interactions.parquet'}, domain {domain}"
    scale = _scale(met["value"].filter(pl.Series(rated)).to_numpy(), where)
    rng = generator_of("held-out ratings", seed, domain)
    held = np.zeros(met.height, np.bool_)
    held[np.flatnonzero(rated)] = rng.random(int(rated.sum())) < fraction
    if not held.any():
        hint = "hold out a larger share, or get more ratings"
        raise UserError(f"none of {int(rated.sum()):,} ratings is held out", where=where, hint=hint)
    values = np.where(rated, met["value"].fill_null(0).to_numpy(), np.nan)
    judged = _judged(values, scale)
    times = None if met["timestamp"].null_count() else met["timestamp"].cast(pl.Int64).to_numpy()
    ids = tuple(items["item_id"])
    places = np.zeros(int(items["item"].max() or 0) + 1, np.int64)  # type: ignore[arg-type]
    places[items["item"].to_numpy()] = np.arange(items.height)
    users, liked = met["user"].to_numpy(), places[met["item"].to_numpy()]
    kept = ~held & (judged == 1)
    promoted = TrainLikes(ids, users[kept], liked[kept], None if times is None else times[kept])
    every = [_user(rows, liked, judged, held, ids) for rows in _by_user(users) if held[rows].any()]
    able = tuple(user for user in every if user.history)
    lacking = len(every) - len(able)
    return RatingSplit(promoted, able, scale, int(rated.sum()), int(held.sum()), lacking)


def _scale(values: NDArray[np.floating[Any]], where: str) -> float:
    """The smallest known scale that holds the ratings."""
    if not len(values):
        hint = "this protocol needs ratings; leave the dataset out of data.datasets"
        raise UserError("there are no ratings", where=where, hint=hint)
    found = next((scale for scale in SCALES if values.max() <= scale), None)
    if found is None or values.min() < 0:
        raise UserError(
            f"the ratings go from {values.min():g} to {values.max():g}: neither of 5 nor of 10",
            where=where,
            hint="this protocol needs ratings of 5 or of 10; leave the dataset out of data.datasets",
        )
    return found


def _judged(values: NDArray[np.floating[Any]], scale: float) -> NDArray[np.int64]:
    """1 for promoters, -1 for detractors, 0 for all others."""
    slack = 1e-6  # of a float32
    promoter, detractor = values >= _PROMOTER * scale - slack, values <= _DETRACTOR * scale + slack
    return promoter.astype(np.int64) - detractor.astype(np.int64)


def _by_user(users: NDArray[np.int64]) -> Iterable[NDArray[np.int64]]:
    """The rows of each user; those of a user stand together."""
    return np.split(np.arange(len(users)), np.flatnonzero(np.diff(users)) + 1)


def _user(
    rows: NDArray[np.int64],
    items: NDArray[np.int64],
    judged: NDArray[np.int64],
    held: NDArray[np.bool_],
    ids: Sequence[str],
) -> JudgedUser:
    kept, out = rows[~held[rows]], rows[held[rows]]
    history = tuple(ids[at] for at in items[kept[judged[kept] == 1]])
    absent = frozenset(ids[at] for at in items[kept])
    return JudgedUser(history, absent, {ids[items[row]]: int(judged[row]) for row in out})
