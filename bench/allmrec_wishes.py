"""`python -m bench.allmrec_wishes`: whether the training of A-LLMRec teaches it to heed wishes.

A planted world: made-up names say nothing of their kind, which is a category and a direction of the vector of
the text. Everybody likes things of both kinds in a drawn order, so that a history does not tell what comes
next, and every training case asks for the kind of its target. Then each of some histories of one thing of
either kind is ranked under both wishes, among two new things of each kind: how often does the first one bear
the wish, and how often do both wishes of a history find theirs? It is asked before training and after it.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from rectune.core.progress import quiet
from rectune.core.stats.intervals import wilson
from rectune.core.types import Item
from rectune.rankers.allmrec.items_ranker import AllmrecItems
from rectune.rankers.allmrec.ranker import AllmRec
from rectune.rankers.domain_data import DomainData, TrainLikes
from rectune.rankers.sequential.sasrec import SasRec
from rectune.retrieval.embedding import Vectors, register

KINDS = ("ships", "bread")
NAMES = (
    "Velmora Tharn Quillen Osgar Brenna Mirelle Draven Solveig Calder Ysolde Orrin Fenwick Halvar Petra "
    "Lucan Marlow Ingrid Tobias Selwyn Rowan Astrid Corwin Delphine Evander"
).split()
EMBEDDER = "kinds"
_OF_A_KIND = len(NAMES) // len(KINDS)
_LIKES = 4  # of a user, half of each kind
_SHOWN = 2  # candidates of each kind


def _vectors(texts: Sequence[str]) -> Vectors:
    """The kinds that a text names, and a little that is its own; unit rows."""
    rows = []
    for text in texts:
        own = np.random.default_rng(list(text.encode())).normal(size=6) * 0.15
        rows.append([*(float(kind in text) for kind in KINDS), *own])
    found = np.array(rows, np.float32).reshape(len(texts), len(KINDS) + 6)
    unit: Vectors = found / np.linalg.norm(found, axis=1, keepdims=True)
    return unit


register(EMBEDDER, len(KINDS) + 6, _vectors)


def kind_of(item_id: str) -> int:
    """The place of an item's kind in `KINDS`."""
    return int(item_id[1:]) % len(KINDS)


def world(users: int) -> DomainData:
    """Everybody likes two things of either kind."""
    rng = np.random.default_rng(0)
    ids = tuple(f"i{at}" for at in range(len(NAMES)))
    items = [Item("goods", one, NAMES[at], (KINDS[kind_of(one)],)) for at, one in enumerate(ids)]
    liked = [
        rng.permutation(
            [len(KINDS) * at + kind for kind in range(2) for at in rng.permutation(_OF_A_KIND)[: _LIKES // 2]]
        )
        for _ in range(users)
    ]
    owners = np.repeat(np.arange(users), _LIKES)
    likes = TrainLikes(ids, owners, np.concatenate(liked), np.arange(len(owners)))
    return DomainData("goods", items, lambda: likes, EMBEDDER)


def stage_1(data: DomainData) -> AllmrecItems:
    """A small SASRec, and the joint space beside it."""
    small = SasRec(dim=16, layers=1, heads=1, dropout=0.0, epochs=8, positions=32, learning_rate=1e-2)
    return AllmrecItems(learning_rate=3e-3).fit_beside(small.fit(data), data)


@dataclass(frozen=True)
class Heeded:
    """How wishes were heeded.

    Attributes:
        histories: that were asked for.
        wishes: of two wishes each, those whose kind the first item has.
        both: histories of which both wishes found their kind.
        gaps: [histories] by how much the mean score of one kind over the other grows from one wish to the
            other, in nats.
    """

    histories: int
    wishes: int
    both: int
    gaps: tuple[float, ...]


def heeded(ranker: AllmRec, histories: int) -> Heeded:
    """Ask for both kinds with each of some histories."""
    rng = np.random.default_rng(5)
    ids = list(ranker.item_ids)
    by_kind = [[one for one in ids if kind_of(one) == kind] for kind in range(len(KINDS))]
    wishes, both, gaps = 0, 0, list[float]()
    for _ in range(histories):
        drawn = [[str(one) for one in rng.permutation(some)[: 1 + _SHOWN]] for some in by_kind]
        history, shown = [some[0] for some in drawn], [one for some in drawn for one in some[1:]]
        scores = ranker.score_wishes([history] * 2, [shown] * 2, KINDS)
        right = [kind_of(shown[int(row.argmax())]) == kind for kind, row in enumerate(scores)]
        more = [float(row[:_SHOWN].mean() - row[_SHOWN:].mean()) for row in scores]
        wishes, both = wishes + sum(right), both + all(right)
        gaps.append(more[0] - more[1])
    return Heeded(histories, wishes, both, tuple(gaps))


def main() -> None:
    """Train, ask before and after, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="embedded")
    parser.add_argument("--users", type=int, default=120)
    parser.add_argument("--cases", type=int, default=200)
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--learning-rate", type=float, default=1e-3)
    parser.add_argument("--histories", type=int, default=20)
    given = parser.parse_args()
    with quiet():
        data = world(given.users)
        items = stage_1(data)
        how = {"model": given.model, "shown": 2 * _SHOWN, "wish_share": 1.0}
        # Steps of this size change nothing that can be seen.
        before = AllmRec(**how, cases=1, epochs=1, learning_rate=1e-9).fit_beside(items, data)
        first = heeded(before, given.histories)
        after = AllmRec(
            **how, cases=given.cases, epochs=given.epochs, learning_rate=given.learning_rate
        ).fit_beside(items, data)
        second = heeded(after, given.histories)
    print(f"held-out loss: {', '.join(f'{loss:.3f}' for loss in after.record.held_out)}")
    for name, found in (("before", first), ("after", second)):
        n = found.histories
        mean, error = np.mean(found.gaps), 1.96 * np.std(found.gaps, ddof=1) / n**0.5
        print(
            f"{name}: of the wished kind {_share(found.wishes, 2 * n)}; both wishes {_share(found.both, n)}; "
            f"gap {mean:+.2f} ± {error:.2f}"
        )


def _share(count: int, of: int) -> str:
    low, high = wilson(count, of)
    return f"{count}/{of} ({low:.0%} to {high:.0%})"


if __name__ == "__main__":
    main()
