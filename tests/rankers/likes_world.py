"""Worlds of likes for the rankers that learn from them: random ones, and blocks with a known answer."""

from __future__ import annotations

import numpy as np

from rectune.core.types import Item
from rectune.rankers.base import Ranker, ranker_class
from rectune.rankers.domain_data import DomainData, TrainLikes

BLOCKS, BLOCK_ITEMS = 3, 8


def data_of(table: np.ndarray, ids: list[str] | None = None, users: np.ndarray | None = None) -> DomainData:
    """A domain from a [users, items] table of likes; `users` are their numbers."""
    names = ids or [f"i{n:03}" for n in range(table.shape[1])]
    rows, liked = np.nonzero(table)
    numbers = np.arange(len(table)) if users is None else users
    likes = TrainLikes(tuple(names), numbers[rows].astype(np.int64), liked.astype(np.int64))
    return DomainData("d", [Item("d", name, name) for name in names], lambda: likes)


def random_table(users: int = 60, items: int = 20, seed: int = 0) -> np.ndarray:
    """Likes of a few tastes, some items liked by many and the last one by nobody."""
    rng = np.random.default_rng(seed)
    tastes = rng.random((4, items)) ** 3
    table = rng.random((users, items)) < tastes[rng.integers(0, 4, users)]
    table[:, -1] = False
    return table


def block_table(seed: int = 0, users: int = 40) -> np.ndarray:
    """[users of all blocks, items of all blocks]: everybody likes half of the items of one block."""
    rng = np.random.default_rng(seed)
    table = np.zeros((BLOCKS * users, BLOCKS * BLOCK_ITEMS), np.bool_)
    for row in range(len(table)):
        own = row % BLOCKS * BLOCK_ITEMS + rng.permutation(BLOCK_ITEMS)[: BLOCK_ITEMS // 2]
        table[row, own] = True
    return table


def fitted(name: str, data: DomainData, **parameters) -> Ranker:
    """A ranker by name; `fit_ranker` with keywords."""
    return ranker_class(name)(**parameters).fit(data)


def histories_of(table: np.ndarray, ids: list[str] | tuple[str, ...]) -> list[tuple[str, ...]]:
    """The rows of a table of likes as histories."""
    return [tuple(ids[at] for at in np.flatnonzero(row)) for row in table]
