"""`make bench-sequences DATA=path`: rankers that read a history in its order, beside those that do not.

MovieLens and anime, prepared as for `make bench-served`: users never trained on, ranked with all they are
known to like. Hit@1 of the next like among 19 others, uniform ones and popular ones (in proportion to the
likes of train users), each drawn five times a user; HR@10 and NDCG@10 in the whole catalogue but for what
the user met; the same for cold targets alone, and with every history in a drawn order: the difference says
whether the order matters. Processor seconds of fitting, and the memory that it takes beyond what the process
holds already, come without the embedding of texts.

Each cell (data, users, ranker, seed) is a line of the file `--out`, and is not measured again if it is there:
name another file after a change of the code. Several seeds are averaged user by user; intervals are of users
drawn with replacement, so they hold for the seeds that were measured. `--validation` ranks a third of the
train users, who are left out of training, in place of the test users: for trying what is then tested once.
`--quick` takes popular items, few users and networks of three epochs. Nothing measured so is worth quoting.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from rectune.core.artifacts import ArtifactStore
from rectune.core.catalogue import load_catalogue
from rectune.core.rng import generator_of
from rectune.core.rows import read_rows
from rectune.core.settings.ranking import NETWORKS
from rectune.core.stats.metrics import UserBootstrap, hit_at, ndcg_at, target_rank
from rectune.core.text.figures import with_ends
from rectune.core.text.tables import Table
from rectune.core.types import Case
from rectune.evaluation.served_users import ServedUser, served_users, train_users
from rectune.evaluation.user_groups import TAIL
from rectune.pipeline.run import RunOptions, run_pipeline
from rectune.rankers.base import Ranker, fit_ranker, ranker_class
from rectune.rankers.domain_data import DomainData, TrainLikes, train_likes
from rectune.rankers.holdout import target_ranks

RANKERS = "popularity,item_knn,ease,als,lightfm,sasrec,sasrec_text,bert4rec"
DRAWS, OTHERS, SEED = 5, 19, 7
FIGURES = ("uniform", "popular", "hr", "ndcg")
HEADS = ("ranker", "n", "Hit@1 of 20, uniform", "Hit@1 of 20, popular", "HR@10", "NDCG@10")
_AT_ONCE = 64  # users whose whole catalogue is scored together
_QUICK_EPOCHS = 3

Values = Mapping[str, NDArray[np.float64]]


class Cell(NamedTuple):
    """What is measured once: the key of the data, test or validation users and their number, and the rest."""

    dataset: str
    data: str
    users: str
    ranker: str
    seed: int
    quick: bool


@dataclass(frozen=True)
class Trial:
    """A domain: its train likes, who is ranked, and what stands beside each target, [users][DRAWS]."""

    domain: DomainData
    likes: TrainLikes
    users: Sequence[ServedUser]
    uniform: Sequence[Sequence[tuple[str, ...]]]
    popular: Sequence[Sequence[tuple[str, ...]]]

    @property
    def cold(self) -> list[bool]:
        """[users] whether the target's number of likes is among the lowest 35 % of the items."""
        counts = self.likes.counts
        most = np.quantile(counts, TAIL)
        return [bool(counts[self.likes.place[user.target]] <= most) for user in self.users]


def drawn_beside(user: ServedUser, likes: TrainLikes, popular: bool) -> list[tuple[str, ...]]:
    """The target and 19 items that the user never met, `DRAWS` times; fewer where there are not so many."""
    weights = likes.counts.astype(np.float64) if popular else np.ones(len(likes.item_ids))
    weights[[likes.place[item] for item in {*user.absent, user.target} if item in likes.place]] = 0
    count = min(OTHERS, int(np.count_nonzero(weights)))
    rng = generator_of("sequences, beside", SEED, user.name, popular)
    draws = (rng.choice(len(weights), count, False, weights / max(weights.sum(), 1)) for _ in range(DRAWS))
    return [(user.target, *(likes.item_ids[at] for at in draw)) for draw in draws]


def without(likes: TrainLikes, users: Iterable[int]) -> TrainLikes:
    """The likes of all others."""
    kept = ~np.isin(likes.users, list(users))
    times = None if likes.times is None else likes.times[kept]
    return TrainLikes(likes.item_ids, likes.users[kept], likes.items[kept], times)


def shuffled(users: Sequence[ServedUser]) -> list[ServedUser]:
    """The same users, each history in a drawn order."""
    rngs = [generator_of("sequences, shuffled", SEED, user.name) for user in users]
    return [
        replace(user, history=tuple(user.history[at] for at in rng.permutation(len(user.history))))
        for user, rng in zip(users, rngs, strict=True)
    ]


def figures(ranker: Ranker, trial: Trial, users: Sequence[ServedUser]) -> dict[str, list[float]]:
    """[users] of each of `FIGURES`; a tie counts against the ranker."""
    place = {item: at for at, item in enumerate(ranker.item_ids)}
    ranks: list[NDArray[np.int64]] = []
    hits: dict[str, list[float]] = {"uniform": [], "popular": []}
    for start in range(0, len(users), _AT_ONCE):
        some = users[start : start + _AT_ONCE]
        scores = ranker.score_all([user.history for user in some])
        absent = [[place[item] for item in user.absent if item in place] for user in some]
        ranks.append(target_ranks(scores, [place[user.target] for user in some], absent))
        for at, (user, row) in enumerate(zip(some, scores, strict=True), start):
            for name, draws in (("uniform", trial.uniform[at]), ("popular", trial.popular[at])):
                found = [target_rank(draw, [row[place[one]] for one in draw], user.target) for draw in draws]
                hits[name].append(float(hit_at(found, 1).mean()))
    every = np.concatenate(ranks)
    return hits | {"hr": hit_at(every, 10).tolist(), "ndcg": ndcg_at(every, 10).tolist()}


def measured(cell: Cell, trial: Trial) -> dict[str, Any]:
    """Fit, rank: the line of a cell."""
    domain = trial.domain.with_likes(trial.likes)
    domain.seed = cell.seed
    if ranker_class(cell.ranker).learns_from_texts:
        domain.all_vectors()
    given = {"epochs": _QUICK_EPOCHS} if cell.quick and cell.ranker in NETWORKS else {}
    before, begun = _start_of_peak(), time.process_time()
    ranker = fit_ranker(cell.ranker, domain, given)
    seconds, peak = time.process_time() - begun, _status("VmHWM") - before
    record = getattr(ranker, "record", None)
    return {
        **cell._asdict(),
        "seconds": round(seconds, 2),
        "peak": max(peak, 0),
        "epochs": len(record.ndcg) if record else 0,
        "timed": trial.likes.times is not None,
        "cold": trial.cold,
        "in_order": figures(ranker, trial, trial.users),
        "shuffled": figures(ranker, trial, shuffled(trial.users)),
    }


def kept_lines(path: Path) -> list[dict[str, Any]]:
    """The lines of a file; what was being written when its process ended is cut off."""
    if not path.exists():
        return []
    whole, newline, rest = path.read_text().rpartition("\n")
    if rest:
        print(f"{path}: the last line is not whole, and is measured again", flush=True)
        path.write_text(whole + newline)
    return [json.loads(line) for line in whole.splitlines()]


def cell_of(line: Mapping[str, Any]) -> Cell:
    """Which cell a line is."""
    return Cell(**{name: line[name] for name in Cell._fields})


def averaged(lines: Sequence[Mapping[str, Any]], part: str) -> dict[str, NDArray[np.float64]]:
    """[users] the mean of several seeds, of each figure."""
    return {name: np.mean([line[part][name] for line in lines], 0) for name in FIGURES}


def tables(dataset: str, lines: Sequence[Mapping[str, Any]]) -> list[Table]:
    """All users, cold targets, the order, and the cost; `lines` are of the same users."""
    by_ranker: dict[str, list[Mapping[str, Any]]] = {}
    for line in lines:
        by_ranker.setdefault(line["ranker"], []).append(line)
    count, cold = len(lines[0]["cold"]), np.array(lines[0]["cold"], np.bool_)
    plain = {name: averaged(own, "in_order") for name, own in by_ranker.items()}
    mixed = {name: averaged(own, "shuffled") for name, own in by_ranker.items()}
    less = {
        name: {figure: own[figure] - mixed[name][figure] for figure in FIGURES} for name, own in plain.items()
    }
    every = np.ones(count, np.bool_)
    order = "The order matters?" if lines[0]["timed"] else "The order (none is published)"
    cost = [
        [
            name, ", ".join(str(line["seed"]) for line in own),
            f"{np.mean([line['seconds'] for line in own]):.1f}",
            f"{max(line['peak'] for line in own) / 2**20:.0f} MiB",
            f"{np.mean([line['epochs'] for line in own]):.0f}",
        ]
        for name, own in by_ranker.items()
    ]  # fmt: skip
    return [
        Table(HEADS, rows(plain, every), f"{dataset}: all targets"),
        Table(HEADS, rows(plain, cold), f"{dataset}: cold targets"),
        Table(HEADS, rows(less, every, signed=True), f"{dataset}: {order} In order less shuffled"),
        Table(("ranker", "seeds", "fit, processor s", "memory of it", "epochs"), cost, f"{dataset}: cost"),
    ]


def rows(values: Mapping[str, Values], chosen: NDArray[np.bool_], signed: bool = False) -> list[list[str]]:
    """A row a ranker: the number of chosen users, and the mean of each figure with its interval."""
    count = int(chosen.sum())
    if not count:
        return []
    resampled = UserBootstrap([str(at) for at in range(count)], 10_000, SEED)
    found = []
    for name, own in values.items():
        some = [own[figure][chosen] for figure in FIGURES]
        cells = [with_ends(float(one.mean()), resampled.interval(one), signed=signed) for one in some]
        found.append([name, f"{count}", *cells])
    return found


def prepared(name: str, given: argparse.Namespace) -> tuple[str, Trial]:
    """The key of the data, and what is tested of it."""
    overrides = [
        f"data.root={given.data}",
        f"data.datasets=[{name}]",
        f"data.mixture_weights={{{name}: 1}}",
        f"data.test={40 if given.quick else given.users}",
        *("data.train=150", "data.preference=60", "data.train_time_quantile=1.0", "data.max_history=20"),
        *(["data.min_item_likes=60"] if given.quick else []),
    ]
    folder = run_pipeline(RunOptions(Path("demo"), overrides, "data"), ArtifactStore(given.runs))["data"]
    catalogue, cases = load_catalogue(folder / "items.parquet"), read_rows(folder / "cases.parquet", Case)
    (domain,) = catalogue.domains
    likes = train_likes(folder, cases, domain)
    if given.validation:
        wanted = len(np.unique(likes.users)) // 3
        users = train_users(folder, domain, likes, wanted, 5, SEED)
        likes = without(likes, [int(user.name.rpartition("/")[2]) for user in users])
    else:
        own = [case for case in cases if case.split == "test" and case.history_domain == domain]
        users = [user for user in served_users(folder, own, given.users, SEED) if user.history]
    beside = partial(drawn_beside, likes=likes)
    uniform, popular = ([beside(user, popular=way) for user in users] for way in (False, True))
    data = DomainData(domain, catalogue.of(domain))
    print(
        f"{name}: {len(users)} users who are ranked, {len(np.unique(likes.users))} of training, "
        f"{len(likes.users):,} likes of theirs, {len(data.items):,} items",
        flush=True,
    )
    return folder.name, Trial(data, likes, users, uniform, popular)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure what is not there yet, and print the tables."""
    parser = argparse.ArgumentParser(prog="python -m bench.sequences", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="the folder that holds one folder a dataset")
    parser.add_argument("--datasets", default="movielens,anime")
    parser.add_argument("--rankers", default=RANKERS, help="names, or module:Class")
    parser.add_argument("--seeds", default="0")
    parser.add_argument("--users", type=int, default=300, help="test users of each dataset")
    parser.add_argument("--validation", action="store_true", help="users who are held out of the train users")
    parser.add_argument("--quick", action="store_true", help="popular items, 40 users, networks of 3 epochs")
    parser.add_argument("--runs", type=Path, default=Path("runs"))
    parser.add_argument("--out", type=Path, default=Path("runs/sequences.jsonl"))
    given = parser.parse_args(arguments)
    torch.set_num_threads(1)
    given.out.parent.mkdir(parents=True, exist_ok=True)
    there = {cell_of(line): line for line in kept_lines(given.out)}
    for dataset in given.datasets.split(","):
        key, trial = prepared(dataset, given)
        who = f"{'validation' if given.validation else 'test'} {len(trial.users)}"
        lines = []
        for ranker, seed in (
            (one, int(s)) for one in given.rankers.split(",") for s in given.seeds.split(",")
        ):
            cell = Cell(dataset, key, who, ranker, seed, given.quick)
            if cell not in there:
                there[cell] = measured(cell, trial)
                with given.out.open("a") as file:
                    file.write(json.dumps(there[cell]) + "\n")
                print(f"{dataset} {ranker} {seed}: {there[cell]['seconds']} processor s", flush=True)
            lines.append(there[cell])
        for table in tables(dataset, lines):
            print(table.to_markdown(), end="\n\n", flush=True)


def _status(name: str) -> int:
    """Bytes that the kernel states of this process."""
    text = Path("/proc/self/status").read_text()
    return 1024 * next(int(line.split()[1]) for line in text.splitlines() if line.startswith(f"{name}:"))


def _start_of_peak() -> int:
    """Bytes that are held now, from where the peak counts anew (Linux: clear_refs)."""
    Path("/proc/self/clear_refs").write_text("5")
    return _status("VmRSS")


if __name__ == "__main__":
    main()
