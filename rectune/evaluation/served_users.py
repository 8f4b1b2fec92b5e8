"""The users that protocol `served` is measured on: what each likes and met, and which like comes next."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from rectune.core.rng import generator_of
from rectune.core.tables import read_table
from rectune.core.types import Case
from rectune.rankers.domain_data import TrainLikes
from rectune.rankers.side_features import stated_attributes


@dataclass(frozen=True)
class ServedUser:
    """One user.

    Attributes:
        name: domain/user.
        history: everything that the user liked but the target, oldest first.
        target: what was really taken next.
        absent: all else that the user ever met, liked or not; no list holds it.
        candidates: those of the case; empty for train users.
        attributes: what the user states; empty for nothing.
    """

    name: str
    history: tuple[str, ...]
    target: str
    absent: frozenset[str]
    candidates: tuple[str, ...] = ()
    attributes: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True)
class _UserEvents:
    """The items that a user liked, oldest first, and all that the user met."""

    liked: tuple[str, ...]
    met: frozenset[str]


def served_users(data: Path, cases: Sequence[Case], most: int, seed: int) -> list[ServedUser]:
    """Test users of one domain, at most so many, drawn by the seed; in the order of the cases.

    Args:
        data: the folder with items.parquet, users.parquet and interactions.parquet.
        cases: test cases of one domain; of a user with several the first counts.
        most: how many users.
        seed: of the draw.
    """
    import polars as pl

    by_user = {case.user: case for case in reversed(cases)}
    every = [case for case in cases if by_user[case.user] is case]
    if not every:
        return []
    domain = every[0].domain
    places = generator_of("served", seed, domain).permutation(len(every))[:most]
    chosen = [every[at] for at in sorted(places)]
    users = read_table(data / "users.parquet").filter(pl.col("domain") == domain)
    codes = dict(users.select("user_id", "user").iter_rows())
    stated = dict(users.select("user_id", "attributes").iter_rows())
    events = _events(data, domain, [codes[case.user] for case in chosen if case.user in codes])
    found = []
    for case in chosen:
        own = events.get(codes.get(case.user, -1), _UserEvents((), frozenset()))
        history = tuple(item for item in own.liked if item != case.target)
        name = f"{domain}/{case.user}"
        met = own.met | set(history)
        attributes = stated_attributes(stated.get(case.user, ""))
        found.append(ServedUser(name, history, case.target, met - {case.target}, case.candidates, attributes))
    return found


def train_users(
    data: Path, domain: str, likes: TrainLikes, most: int, least: int, seed: int
) -> list[ServedUser]:
    """Train users of a domain, drawn by the seed; their target is their last like, which is among `likes`.

    Args:
        data: as in `served_users`.
        domain: whose.
        likes: what the rankers were fitted on.
        most: how many users.
        least: likes that a user has, target included; a user has two at least.
        seed: of the draw, and of the order of likes where they have no times.
    """
    rng = generator_of("served, train", seed, domain)
    codes, counts = np.unique(likes.users, return_counts=True)
    able = codes[counts >= max(least, 2)]
    events = _events(data, domain, rng.permutation(able)[:most].tolist())
    found = []
    for code in sorted(events):
        own = events[code].liked
        last = len(own) - 1 if likes.times is not None else int(rng.integers(len(own)))
        history = (*own[:last], *own[last + 1 :])
        absent, attributes = events[code].met - {own[last]}, stated_attributes(likes.attributes.get(code, ""))
        found.append(ServedUser(f"{domain}/{code}", history, own[last], absent, attributes=attributes))
    return found


def _events(data: Path, domain: str, users: Sequence[int]) -> dict[int, _UserEvents]:
    """By code of a user; users without any event are left out."""
    import polars as pl

    own = pl.col("domain") == domain
    items = pl.scan_parquet(data / "items.parquet").filter(own).select("item", "item_id")
    rows = (
        pl.scan_parquet(data / "interactions.parquet")
        .filter(own & pl.col("user").is_in(list(users)))
        .select("user", "item", "liked", "timestamp", "order")
        .join(items, on="item")
        .sort("user", "timestamp", "order", nulls_last=False)
        .select("user", "item_id", "liked")
        .collect(engine="streaming")
    )
    liked: dict[int, dict[str, None]] = {}
    met: dict[int, set[str]] = {}
    for user, item, likes in rows.iter_rows():
        met.setdefault(user, set()).add(item)
        if likes:
            liked.setdefault(user, {})[item] = None
    return {user: _UserEvents(tuple(liked.get(user, ())), frozenset(items)) for user, items in met.items()}
