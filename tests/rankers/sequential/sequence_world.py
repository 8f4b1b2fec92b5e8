"""Worlds in which only the order tells what comes next, and tiny networks for them."""

from __future__ import annotations

import numpy as np

from rectune.core.types import Item
from rectune.rankers.base import Ranker, ranker_class
from rectune.rankers.domain_data import DomainData, TrainLikes
from rectune.retrieval.embedding import register

RING = 12
KINDS, PER_KIND = 4, 5
TINY = {
    "dim": 16, "layers": 1, "heads": 1, "dropout": 0.0, "max_length": 8, "learning_rate": 0.01,
    "positions": 64, "epochs": 25, "patience": 25,
}  # fmt: skip
EMBEDDER = "features of a ring"


def features(texts: list[str]) -> np.ndarray:
    """[texts, 8] unit rows: where on a circle the number in the text lies, at four frequencies."""
    places = np.array([int(text.split()[1].rstrip(".")) for text in texts])
    angles = places[:, None] * 2 * np.pi / RING * np.arange(1, 5)
    found = np.concatenate([np.cos(angles), np.sin(angles)], 1).astype(np.float32)
    return found / np.linalg.norm(found, axis=1, keepdims=True)


register(EMBEDDER, 8, features)


def item_of(number: int) -> Item:
    """An item whose title says where on the ring it is."""
    return Item("ring", f"i{number:02}", f"place {number % RING}")


def ring(users: int = 80, length: int = 5, seed: int = 0, shuffled: bool = False) -> DomainData:
    """Everybody starts anywhere on a ring of items and goes on to the next one, and the next.

    Args:
        shuffled: the same likes, each user's in a drawn order.
    """
    rng = np.random.default_rng(seed)
    rows = []
    for user in range(users):
        first = int(rng.integers(RING))
        walk = [(first + step) % RING for step in range(length)]
        rows += [(user, place) for place in (rng.permutation(walk).tolist() if shuffled else walk)]
    return data_of(np.array(rows), [item_of(number) for number in range(RING)])


def kinds(users: int = 100, length: int = 5, seed: int = 0) -> DomainData:
    """Everybody goes from kind to kind of items, 0, 1, 2, 3, 0, to any item of the kind but its last one.

    There are `PER_KIND` items of each of four kinds; the text of an item says only its kind.
    """
    rng = np.random.default_rng(seed)
    rows = []
    for user in range(users):
        first = int(rng.integers(KINDS))
        walk = [(first + step) % KINDS * PER_KIND + int(rng.integers(PER_KIND - 1)) for step in range(length)]
        rows += [(user, place) for place in dict.fromkeys(walk)]
    return data_of(np.array(rows), kind_items("k"))


def kind_items(prefix: str) -> list[Item]:
    """The items of `kinds`; their ids begin with this."""
    return [
        Item("ring", f"{prefix}{kind}{n}", f"place {kind * 3}")
        for kind in range(KINDS)
        for n in range(PER_KIND)
    ]


def data_of(rows: np.ndarray, items: list[Item], times: np.ndarray | None = None) -> DomainData:
    """A domain of [likes, 2] users and places; by default one like comes after the other."""
    ids = tuple(item.item_id for item in items)
    rows = rows.reshape(-1, 2).astype(np.int64)
    likes = TrainLikes(ids, rows[:, 0], rows[:, 1], np.arange(len(rows)) if times is None else times)
    return DomainData("ring", items, lambda: likes, EMBEDDER)


def fitted(name: str, data: DomainData, **parameters: object) -> Ranker:
    """A tiny ranker of this name."""
    return ranker_class(name)(**TINY | parameters).fit(data)


def share_right(ranker: Ranker, histories: list[tuple[str, ...]]) -> float:
    """How often the item that follows on the ring comes first among those that are not in the history."""
    first = [rows[0].item_id for rows in ranker.top(histories, 1)]
    right = [f"i{(int(history[-1][1:]) + 1) % RING:02}" for history in histories]
    return float(np.mean([one == other for one, other in zip(first, right, strict=True)]))


def walks(length: int = 3) -> list[tuple[str, ...]]:
    """Histories of so many items from every place of the ring."""
    return [tuple(f"i{(start + step) % RING:02}" for step in range(length)) for start in range(RING)]
