"""`make bench-lightfm`: LightFM of ours against the library lightfm-next, which fits the same model.

Likes are made up (seeded): users of twenty tastes, each with favourites of its own among items of a long
tail. A fifth of the users is left out of the fitting; one like of each of them is hidden, and found again by
all other likes, among the whole catalogue and among 19 items drawn uniformly. Both sides get the same likes,
users as normalised bags of liked items, 30 components, the same number of epochs, a learning rate of 0.05 and
at most 10 drawn items for a like, on one thread, with several seeds.

Ratios are those of processor time. Our first fit compiles, or loads what was compiled before, ahead of the
measured ones, and is shown apart. lightfm-next has an environment of its own, which keeps scikit-learn out of
that of rectune:

    python -m venv /tmp/lightfm && /tmp/lightfm/bin/pip install lightfm-next==1.19
    make bench-lightfm ARGS="--rival /tmp/lightfm/bin/python"
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from rectune.core.text.tables import Table

COMPONENTS, RATE, TASTES = 30, 0.05, 20
Numbers = np.ndarray[Any, Any]


class Size(NamedTuple):
    """How many users and items, and likes of a user in the mean."""

    users: int
    items: int
    likes: int


SIZE = Size(1000, 1500, 50)


def make(folder: Path, size: Size) -> None:
    """Write users.npy and items.npy, [likes] each, of train users; test.npz: histories and hidden likes."""
    rng = np.random.default_rng(0)
    popularity = (np.arange(size.items) + size.items / 50) ** -1.0
    tastes = popularity * rng.lognormal(0, 1.5, (TASTES, size.items))
    tastes /= tastes.sum(1, keepdims=True)
    rows = []
    for _ in range(size.users):
        count = int(np.clip(rng.lognormal(0, 0.8) * size.likes / 1.4, 5, size.items / 4))
        mixed = 0.8 * tastes[rng.integers(TASTES)] + 0.2 * tastes[rng.integers(TASTES)]
        rows.append(rng.choice(size.items, count, replace=False, p=mixed))
    held = size.users // 5
    users = np.repeat(np.arange(size.users - held), [len(row) for row in rows[held:]])
    np.save(folder / "users.npy", users)
    np.save(folder / "items.npy", np.concatenate(rows[held:]))
    starts = np.cumsum([0, *(len(row) - 1 for row in rows[:held])])
    others = np.concatenate([row[1:] for row in rows[:held]])
    hidden = np.array([row[0] for row in rows[:held]])
    np.savez(folder / "test.npz", starts=starts, others=others, hidden=hidden)


def ours(folder: Path, size: Size, epochs: int, seed: int) -> tuple[float, Numbers]:
    """Processor seconds of fitting, and the scores [test users, items]."""
    from rectune.core.types import Item
    from rectune.rankers.domain_data import DomainData, TrainLikes
    from rectune.rankers.lightfm import LightFM

    users, items = (np.load(folder / f"{name}.npy").astype(np.int64) for name in ("users", "items"))
    catalogue = [Item("made-up", f"i{number:06}", "") for number in range(size.items)]
    likes = TrainLikes(tuple(item.item_id for item in catalogue), users, items)
    data = DomainData("made-up", catalogue, lambda: likes)
    begun = time.process_time()
    ranker = LightFM(RATE, COMPONENTS, epochs, seed=seed).fit(data)
    spent = time.process_time() - begun
    return spent, ranker.score_all([[f"i{at:06}" for at in row] for row in histories(folder)])


def histories(folder: Path) -> list[Numbers]:
    """What test users like but what is hidden."""
    test = np.load(folder / "test.npz")
    return np.split(test["others"], test["starts"][1:-1])


# What the rival's interpreter runs: it has no rectune.
RIVAL = """
import sys, time
import numpy as np
from scipy.sparse import csr_matrix, coo_matrix
from lightfm import LightFM
folder, items, epochs, seed, components, rate, out = sys.argv[1:]
items, epochs, seed = int(items), int(epochs), int(seed)
users, liked = np.load(folder + "/users.npy"), np.load(folder + "/items.npy")
ones = np.ones(len(users), np.float32)
likes = csr_matrix((ones, (users, liked)), (users.max() + 1, items))
bags = csr_matrix(likes.multiply(1 / likes.sum(1)))
test = np.load(folder + "/test.npz")
model = LightFM(int(components), loss="warp", learning_rate=float(rate), max_sampled=10, random_state=seed)
begun = time.process_time()
model.fit(likes.tocoo(), user_features=bags, epochs=epochs, num_threads=1)
spent = time.process_time() - begun
shape = (len(test["hidden"]), items)
asked = csr_matrix((np.ones(len(test["others"])), test["others"], test["starts"]), shape)
asked = csr_matrix(asked.multiply(1 / asked.sum(1)))
scores = (asked @ model.user_embeddings) @ model.item_embeddings.T + model.item_biases
np.savez(out, spent=spent, scores=scores)
"""


def rival(python: Path, folder: Path, size: Size, epochs: int, seed: int) -> tuple[float, Numbers]:
    """The same of lightfm-next."""
    out = folder / "rival.npz"
    values = (folder, size.items, epochs, seed, COMPONENTS, RATE, out)
    subprocess.run([python, "-c", RIVAL, *map(str, values)], check=True)
    found = np.load(out)
    return float(found["spent"]), found["scores"]


def quality(folder: Path, scores: Numbers) -> tuple[float, float]:
    """NDCG@10 among all items that the user does not like, and Hit@1 among 20."""
    from rectune.core.stats.metrics import hit_at, ndcg_at
    from rectune.rankers.holdout import target_ranks

    hidden, past = np.load(folder / "test.npz")["hidden"], histories(folder)
    full = target_ranks(scores, hidden.tolist(), [row.tolist() for row in past])
    rng, few = np.random.default_rng(1), []
    for row, target, own in zip(scores, hidden, past, strict=True):
        left = np.setdiff1d(np.arange(len(row)), [*own, target])
        few.append(1 + np.count_nonzero(row[rng.choice(left, 19, replace=False)] >= row[target]))
    return float(ndcg_at(full, 10).mean()), float(hit_at(few, 1).mean())


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m bench.lightfm", description=__doc__)
    parser.add_argument("--rival", type=Path, required=True, help="a Python that has lightfm-next")
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--seeds", type=int, default=2)
    given = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        make(folder, SIZE)
        begun = time.process_time()
        ours(folder, SIZE, 1, 0)
        print(f"first fit, one epoch: {time.process_time() - begun:.1f} processor s", file=sys.stderr)
        print(f"{len(np.load(folder / 'users.npy')):,} likes of {SIZE.users * 4 // 5:,} users, {SIZE}")
        runs = {
            "rectune": [ours(folder, SIZE, given.epochs, seed) for seed in range(given.seeds)],
            "lightfm-next": [
                rival(given.rival, folder, SIZE, given.epochs, seed) for seed in range(given.seeds)
            ],
        }
        figures = {
            name: np.mean([(spent, *quality(folder, scores)) for spent, scores in each], axis=0)
            for name, each in runs.items()
        }
    own = figures["rectune"]
    rows = [
        [name, *(f"{value:.3f}" for value in each), *(f"{value:.2f}" for value in each / own)]
        for name, each in figures.items()
    ]
    heads = ("", "fit, processor s", "NDCG@10", "Hit@1 of 20", "fit, times ours", "NDCG@10", "Hit@1")
    print(Table(heads, rows).to_markdown())


if __name__ == "__main__":
    main()
