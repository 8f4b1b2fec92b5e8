"""`make bench-cold-start [DATA=path]`: from how many users on rankers of likes are better than titles alone.

MovieLens latest-small and the anime ratings, the samples without `--data`. A fixed set of test users takes
part in no training. Of all others so many are drawn (16, 64, 256, 1,024, all; the smaller sets lie in the
larger ones, with up to three draws of the small ones), and rankers learn from their likes: popularity,
item_knn, EASE and ALS, tuned on some of these users as the stage fit does it; what that stage chooses among
these and `hybrid`, which may be a fusion; `sasrec` and `sasrec_text` with their defaults. `hybrid` (BM25 and
embedding of titles and categories) needs nobody's likes. A test user is ranked with all that they are known
to like: Hit@1 of the next like among 19 others, uniform ones and popular ones (in proportion to the likes of
all others), and NDCG@10 among the whole catalogue but for what the user met.

Apart from it `hybrid` is told a sentence in place of the history, as "I like horror and comedy films of the
1980s", which is made of the history (`bench.cold_start_words`).

Each finished cell (dataset, number of users, draw, system) is a line of `cells.jsonl` in the folder `--runs`
and is not measured again; name another folder after a change of the code. With `--seconds` no cell is begun
after so many processor seconds, and what is left is listed. Intervals are of 95 % by the bootstrap over users
and draws. `--quick` takes few users and networks of two epochs: nothing measured so is worth quoting.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from bench.allmrec import KeptVectors
from bench.cold_start_picture import draw_picture
from bench.cold_start_tables import Curves, all_tables
from bench.cold_start_words import HybridOfSentence, TasteFinder
from bench.sequence_trials import Trial, drawn_beside, figures, without
from bench.sequences import kept_lines
from rectune.core.artifacts import ArtifactStore
from rectune.core.catalogue import load_catalogue
from rectune.core.rng import generator_of
from rectune.core.rows import read_rows
from rectune.core.settings import FitConfig
from rectune.core.types import Case
from rectune.evaluation.served_users import served_users
from rectune.pipeline.run import RunOptions, run_pipeline
from rectune.rankers.base import fit_ranker
from rectune.rankers.choice import ChoiceOptions
from rectune.rankers.chosen import ChosenRanker
from rectune.rankers.domain_data import DomainData, TrainLikes, train_likes
from rectune.rankers.fusion import Hybrid
from rectune.retrieval.embedding import dimension, register

SIZES, DRAWS = (16, 64, 256, 1024), 3
TEST_USERS = {"anime": 500}
_TEST_USERS, _SEED = 300, 7
POOL = ("popularity", "hybrid", "item_knn", "ease", "als")
NETWORKS = ("sasrec", "sasrec_text")
_EMBEDDER = "embedded, kept"
_QUICK_SIZES, _QUICK_USERS, _QUICK_EPOCHS = (8, 32), 30, 2

Figures = dict[str, list[float]]


class Cell(NamedTuple):
    """What is measured at once: the key of the data, test users, users to learn from, and the rest."""

    dataset: str
    data: str
    tests: int
    size: int
    draw: int
    system: str
    quick: bool


def drawn_users(likes: TrainLikes, size: int, draw: int) -> TrainLikes:
    """The likes of so many users; a smaller set of the same draw lies in a larger one."""
    order = generator_of("cold start", _SEED, draw).permutation(np.unique(likes.users))
    return without(likes, order[size:].tolist())


def draws_of(size: int, most: int) -> int:
    """How often a set of so many users is drawn: less often where it is large, and differs less."""
    return most if size <= SIZES[1] else max(1, most - 1)


def cells(base: Cell, every: int, given: argparse.Namespace) -> Iterator[Cell]:
    """All cells of a dataset, what matters most first.

    Args:
        base: of this dataset, with any size, draw and system.
        every: how many users there are to learn from.
        given: the command line.
    """
    yield base._replace(size=0, draw=0, system="words")
    sizes = [size for size in (_QUICK_SIZES if base.quick else SIZES) if size < every]
    drawn = [
        (draw, size) for draw in range(given.draws) for size in sizes if draw < draws_of(size, given.draws)
    ]
    drawn.insert(len(sizes), (0, every))
    for draw, size in drawn:
        yield base._replace(size=size, draw=draw, system="chosen")
    for draw, size in drawn:
        for system in given.networks.split(",") if given.networks else ():
            if not given.networks_up_to or size <= given.networks_up_to:
                yield base._replace(size=size, draw=draw, system=system)


def measured(cell: Cell, trial: Trial) -> dict[str, Any]:
    """The line of a cell: figures of each system, [test users], and what it took."""
    begun = time.process_time()
    likes = drawn_users(trial.likes, cell.size, cell.draw)
    domain = trial.domain.with_likes(likes)
    domain.seed = cell.draw
    chosen: dict[str, float] = {}
    if cell.system == "words":
        found = by_words(domain, trial)
    elif cell.system == "chosen":
        found, chosen = by_likes(cell, domain, trial)
    else:
        given = {"epochs": _QUICK_EPOCHS} if cell.quick else {}
        found = {cell.system: figures(fit_ranker(cell.system, domain, given), trial, trial.users)}
    return {
        **cell._asdict(),
        "seconds": round(time.process_time() - begun, 1),
        "likes": len(likes.users),
        "chosen": chosen,
        "figures": {
            name: {figure: np.round(values, 4).tolist() for figure, values in own.items()}
            for name, own in found.items()
        },
    }


def by_words(domain: DomainData, trial: Trial) -> dict[str, Figures]:
    """What needs nobody's likes, by what it is told."""
    tastes = TasteFinder(domain.items)
    silent = sum(not tastes.sentence(user.history) for user in trial.users)
    print(f"{domain.domain}: {silent} of {len(trial.users)} users have nothing to say", flush=True)
    for user in trial.users[:3]:
        print(f"  {tastes.sentence(user.history)}", flush=True)
    told = {
        "hybrid": Hybrid(),
        "hybrid, sentence": HybridOfSentence(tastes),
        "hybrid, both": HybridOfSentence(tastes, 0.5),
    }
    return {name: figures(ranker.fit(domain), trial, trial.users) for name, ranker in told.items()}


def by_likes(cell: Cell, domain: DomainData, trial: Trial) -> tuple[dict[str, Figures], dict[str, float]]:
    """Rankers of likes as the stage fit tunes them, and what it chooses; the weights for long histories."""
    users = _QUICK_USERS if cell.quick else FitConfig().users
    options = ChoiceOptions(POOL, users, seed=cell.draw)
    served = ChosenRanker().fit_with(domain, options)
    found = {name: figures(served.rankers[name], trial, trial.users) for name in POOL if name != "hybrid"}
    found["chosen"] = figures(served, trial, trial.users)
    return found, dict(served.choice.histories["5+"].chosen.weights)


def prepared(name: str, given: argparse.Namespace, store: ArtifactStore) -> tuple[Cell, Trial]:
    """A cell with the key of the data, and what is tested of it."""
    tests = _QUICK_USERS if given.quick else TEST_USERS.get(name, _TEST_USERS)
    overrides = [
        f"data.datasets=[{name}]",
        f"data.mixture_weights={{{name}: 1}}",
        f"data.test={tests}",
        *("data.train=60", "data.preference=6", "data.train_time_quantile=1.0", "data.max_history=20"),
        *([f"data.root={given.data}"] if given.data else []),
        *(["data.min_item_likes=60"] if given.data and given.quick else []),
    ]
    folder = run_pipeline(RunOptions(Path("demo"), overrides, "data"), store)["data"]
    catalogue, cases = load_catalogue(folder / "items.parquet"), read_rows(folder / "cases.parquet", Case)
    (domain,) = catalogue.domains
    likes = train_likes(folder, cases, domain)
    own = [case for case in cases if case.split == "test" and case.history_domain == domain]
    users = [user for user in served_users(folder, own, tests, _SEED) if user.history]
    beside = partial(drawn_beside, likes=likes)
    uniform, popular = ([beside(user, popular=way) for user in users] for way in (False, True))
    print(
        f"{name}: {len(users)} test users, {len(np.unique(likes.users)):,} others, "
        f"{len(likes.users):,} likes of theirs, {len(catalogue.of(domain)):,} items",
        flush=True,
    )
    data = DomainData(domain, catalogue.of(domain), embedder=_EMBEDDER)
    return Cell(name, folder.name, len(users), 0, 0, "", given.quick), Trial(
        data, likes, users, uniform, popular
    )


def lines_of(
    name: str, given: argparse.Namespace, there: dict[Cell, dict[str, Any]]
) -> list[Mapping[str, Any]]:
    """The lines of a dataset; what is not there yet is measured, as far as the time allows."""
    base, trial = prepared(name, given, ArtifactStore(given.runs))
    wanted = list(cells(base, len(np.unique(trial.likes.users)), given))
    for cell in wanted:
        if cell in there or (given.seconds and time.process_time() > given.seconds):
            continue
        there[cell] = measured(cell, trial)
        with (given.runs / "cells.jsonl").open("a") as file:
            file.write(json.dumps(there[cell]) + "\n")
        print(
            f"{name}, {cell.size:,} users, {cell.system} {cell.draw}: {there[cell]['seconds']} s", flush=True
        )
    for cell in wanted:
        if cell not in there:
            print(f"left out: {name}, {cell.size:,} users, {cell.system} {cell.draw}", flush=True)
    return [line for cell, line in there.items() if cell[:3] == base[:3] and cell.quick == base.quick]


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure what is not there yet, print the tables, draw the picture."""
    parser = argparse.ArgumentParser(prog="python -m bench.cold_start", description=__doc__)
    parser.add_argument("--data", type=Path, help="holds one folder a dataset; the samples if not given")
    parser.add_argument(
        "--datasets", default="", help="by default movielens, and anime where there is --data"
    )
    parser.add_argument("--networks", default=",".join(NETWORKS), help="that are fitted; empty for none")
    parser.add_argument(
        "--networks-up-to", type=int, default=0, help="users that networks learn from at most"
    )
    parser.add_argument(
        "--draws", type=int, default=DRAWS, help="of sets of up to 64 users; of others one less"
    )
    parser.add_argument(
        "--seconds", type=int, default=0, help="of the processor; then no further cell is begun"
    )
    parser.add_argument(
        "--runs", type=Path, default=Path("runs/cold_start"), help="the folder of what is kept"
    )
    parser.add_argument("--picture", type=Path, help="the file of the picture, PNG")
    parser.add_argument("--quick", action="store_true", help="30 test users, 8 and 32 users to learn from")
    given = parser.parse_args(arguments)
    torch.set_num_threads(1)
    given.runs.mkdir(parents=True, exist_ok=True)
    register(_EMBEDDER, dimension(), KeptVectors(given.runs / "vectors.npz"), english=True)
    kept = kept_lines(given.runs / "cells.jsonl")
    there = {Cell(**{field: line[field] for field in Cell._fields}): line for line in kept}
    names = given.datasets or ("movielens,anime" if given.data else "movielens")
    curves = [Curves.of(name, lines_of(name, given, there)) for name in names.split(",")]
    for table in all_tables(curves):
        print(table.to_markdown(), end="\n\n", flush=True)
    if given.picture:
        draw_picture(curves, given.picture)
    print(f"{time.process_time():.0f} processor seconds", flush=True)


if __name__ == "__main__":
    main()
