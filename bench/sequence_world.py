"""A made-up world for `bench.sequence_stopping`: what comes next depends on what came last, and on chance."""

from __future__ import annotations

import numpy as np

from bench.sequence_trials import Trial, trial_of
from rectune.core.rng import generator_of
from rectune.core.types import Item
from rectune.evaluation.served_users import ServedUser
from rectune.rankers.domain_data import DomainData, TrainLikes

KINDS, PER_KIND, LIKES = 20, 25, 24
_ON = 0.6  # how often the next item is of the next kind; else it is of any


def made_up(seed: int, train: int = 150, ranked: int = 200) -> Trial:
    """New users of a world of 20 kinds of 25 items each.

    After an item of one kind comes one of the next kind six times of ten, else any; within a kind the n-th
    item is liked in proportion to 1 / n. Everybody likes 24 items; those of `train` users are trained on.
    """
    rng = generator_of("sequences, made-up world", seed)
    names = [f"i{number:03}" for number in range(KINDS * PER_KIND)]
    walks = [_walk(rng) for _ in range(train + ranked)]
    users = np.repeat(np.arange(train), LIKES)
    items = np.array([item for walk in walks[:train] for item in walk], np.int64)
    likes = TrainLikes(tuple(names), users, items, np.arange(len(items)))
    data = DomainData("made-up", [Item("made-up", name, name) for name in names], lambda: likes)
    new = []
    for number, walk in enumerate(walks[train:], train):
        *history, target = (names[item] for item in walk)
        new.append(ServedUser(f"made-up/{number}", tuple(history), target, frozenset(history)))
    return trial_of(data, likes, new)


def _walk(rng: np.random.Generator) -> list[int]:
    """Items of a user, each once."""
    shares = 1 / np.arange(1, PER_KIND + 1)
    found: dict[int, None] = {}
    kind = int(rng.integers(KINDS))
    while len(found) < LIKES:
        found[kind * PER_KIND + int(rng.choice(PER_KIND, p=shares / shares.sum()))] = None
        kind = (kind + 1) % KINDS if rng.random() < _ON else int(rng.integers(KINDS))
    return list(found)
