"""A world of blocks of items, for which texts and likes say the same, but of some items."""

from __future__ import annotations

import numpy as np

from rectune.core.types import Item
from rectune.rankers.allmrec.items import JointItems, train_joint_items
from rectune.rankers.allmrec.training import JointOptions
from rectune.rankers.domain_data import DomainData, TrainLikes
from rectune.rankers.sequential.ranker import SequentialRanker
from rectune.rankers.sequential.sasrec import SasRec
from rectune.retrieval.embedding import register

BLOCKS, WARM, COLD, USERS = 2, 10, 3, 60
EMBEDDER = "blocks"
ODD = ("w0-0", "w1-0")
"""Items that are liked with one block and read like the other one."""


def _vectors(texts) -> np.ndarray:
    """The block that a text names as one of two directions, and a little that is its own."""
    rng = np.random.default_rng(0)
    own = {name: rng.normal(size=6) * 0.15 for name in sorted({f"{n}" for n in range(40)})}
    rows = [np.append(np.eye(BLOCKS)[int(text.split()[1])], own[text.split()[2]]) for text in texts]
    found = np.array(rows, np.float32).reshape(len(texts), BLOCKS + 6)
    return found / np.linalg.norm(found, axis=1, keepdims=True)


register(EMBEDDER, BLOCKS + 6, _vectors)


def item(name: str) -> Item:
    """`w1-4` is the fourth warm item of block 1; `c` stands for cold."""
    block, number = int(name[1]), name[3:]
    reads = 1 - block if name in ODD else block
    return Item("d", name, f"block {reads} {int(number) + 20 * (name[0] == 'c')}")


def names(kind: str, block: int) -> list[str]:
    """The items of a block, warm (`w`) or cold (`c`)."""
    return [f"{kind}{block}-{n}" for n in range(WARM if kind == "w" else COLD)]


def world(seed: int = 0) -> DomainData:
    """Everybody likes six warm items of one block, in a drawn order; nobody likes a cold item."""
    rng = np.random.default_rng(seed)
    ids = [name for kind in "wc" for block in range(BLOCKS) for name in names(kind, block)]
    liked = [
        np.array([ids.index(f"w{user % 2}-{n}") for n in rng.permutation(WARM)[:6]]) for user in range(USERS)
    ]
    users = np.repeat(np.arange(USERS), 6)
    likes = TrainLikes(tuple(ids), users, np.concatenate(liked), np.arange(len(users)))
    return DomainData("d", [item(name) for name in ids], lambda: likes, EMBEDDER)


def recommender(data: DomainData) -> SequentialRanker:
    """A small SASRec, fitted."""
    return SasRec(dim=8, layers=1, heads=1, dropout=0.0, epochs=12, positions=64, learning_rate=1e-2).fit(
        data
    )


def joint_items(data: DomainData, fitted: SequentialRanker, **options) -> JointItems:
    """The joint space beside it."""
    given = {"learning_rate": 3e-3, "epochs": 10} | options
    return train_joint_items(fitted, data, JointOptions(**given), cold_quantile=0.2)
