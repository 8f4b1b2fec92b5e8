"""`make bench-sequences DATA=path`: rankers that read a history in its order, beside those that do not.

MovieLens and anime, prepared as for `make bench-served`: users never trained on, ranked with all they are
known to like. Hit@1 of the next like among 19 others, uniform ones and popular ones (in proportion to the
likes of train users), each drawn five times a user; HR@10 and NDCG@10 in the whole catalogue but for what
the user met; the same for cold targets alone, and with every history in a drawn order: the difference says
whether the order matters. Processor seconds of fitting, and the memory that it takes beyond what the process
holds already, come without the embedding of texts.

Each cell (data, users, ranker, seed) is a line of the file `--out`, and is not measured again if it is there:
name another file after a change of the code. Several seeds are averaged user by user; intervals are of users
drawn with replacement, so they hold for the seeds that were measured. `--parts 5` ranks every user of the
data once (with five likes at least, the last one is what comes next), each fifth by rankers that are fitted
on the other four; `--only 1` takes the first part alone. `--validation` ranks train users in place of the
test users, a third of them or the parts, who are left out of training: for trying what is then tested once.
`--given '{"dropout": 0.4}'` are arguments of the rankers. `--quick` takes popular items, few users and
networks of three epochs. Nothing measured so is worth quoting.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from bench.sequence_trials import SEED, Trial, Wanted, figures, prepared, shuffled
from rectune.core.settings.ranking import NETWORKS
from rectune.core.stats.metrics import UserBootstrap
from rectune.core.text.figures import with_ends
from rectune.core.text.tables import Table
from rectune.rankers.base import fit_ranker, ranker_class
from rectune.rankers.sequential.training import TrainingRecord

RANKERS = "popularity,item_knn,ease,als,lightfm,sasrec,sasrec_text,bert4rec"
FIGURES = ("uniform", "popular", "hr", "ndcg")
HEADS = ("ranker", "n", "Hit@1 of 20, uniform", "Hit@1 of 20, popular", "HR@10", "NDCG@10")
_QUICK_EPOCHS = 3

Values = Mapping[str, NDArray[np.float64]]


class Cell(NamedTuple):
    """What is measured once: the key of the data, which users and how many, and the rest."""

    dataset: str
    data: str
    users: str
    ranker: str
    seed: int
    quick: bool
    given: str = ""


def measured(cell: Cell, trial: Trial) -> dict[str, Any]:
    """Fit, rank: the line of a cell."""
    domain = trial.domain.with_likes(trial.likes)
    domain.seed = cell.seed
    if ranker_class(cell.ranker).learns_from_texts:
        domain.all_vectors()
    parameters = json.loads(cell.given or "{}")
    parameters |= {"epochs": _QUICK_EPOCHS} if cell.quick and cell.ranker in NETWORKS else {}
    before, begun = _start_of_peak(), time.process_time()
    ranker = fit_ranker(cell.ranker, domain, parameters)
    seconds, peak = time.process_time() - begun, _status("VmHWM") - before
    record = getattr(ranker, "record", None)
    return {
        **cell._asdict(),
        "seconds": round(seconds, 2),
        "peak": max(peak, 0),
        "epochs": len(record.losses) if isinstance(record, TrainingRecord) else 0,
        "loss": min(record.losses, default=0.0) if isinstance(record, TrainingRecord) else 0.0,
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
    return Cell(**{name: line[name] for name in Cell._fields if name in line})


def joined(parts: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """One line of the lines of several parts: all their users; the mean of seconds and epochs."""
    return {
        **parts[0],
        "seconds": float(np.mean([line["seconds"] for line in parts])),
        "epochs": float(np.mean([line["epochs"] for line in parts])),
        "peak": max(line["peak"] for line in parts),
        "cold": [one for line in parts for one in line["cold"]],
        **{
            order: {name: [one for line in parts for one in line[order][name]] for name in FIGURES}
            for order in ("in_order", "shuffled")
        },
    }


def averaged(lines: Sequence[Mapping[str, Any]], part: str) -> dict[str, NDArray[np.float64]]:
    """[users] the mean of several seeds, of each figure."""
    return {name: np.mean([line[part][name] for line in lines], 0) for name in FIGURES}


def tables(dataset: str, lines: Sequence[Mapping[str, Any]]) -> list[Table]:
    """All users, cold targets, the order, and the cost; `lines` are of the same users."""
    by_ranker: dict[str, list[Mapping[str, Any]]] = {}
    for line in lines:
        by_ranker.setdefault(f"{line['ranker']} {line.get('given', '')}".strip(), []).append(line)
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
    found = [
        Table(HEADS, rows(plain, every), f"{dataset}: all targets"),
        Table(HEADS, rows(plain, cold), f"{dataset}: cold targets"),
        Table(HEADS, rows(less, every, signed=True), f"{dataset}: {order} In order less shuffled"),
        Table(("ranker", "seeds", "fit, processor s", "memory of it", "epochs"), cost, f"{dataset}: cost"),
    ]
    first, *others = plain
    if others:
        beyond = {f"{name} less {first}": _less(plain[name], plain[first]) for name in others}
        found.append(Table(HEADS, rows(beyond, every, signed=True), f"{dataset}: paired differences"))
    return found


def _less(one: Values, other: Values) -> Values:
    return {figure: one[figure] - other[figure] for figure in FIGURES}


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


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure what is not there yet, and print the tables."""
    parser = argparse.ArgumentParser(prog="python -m bench.sequences", description=__doc__)
    Wanted.add_to(parser)
    parser.add_argument("--datasets", default="movielens,anime")
    parser.add_argument(
        "--rankers", default=RANKERS, help="names, or module:Class; the first is compared with"
    )
    parser.add_argument("--seeds", default="0")
    parser.add_argument("--only", type=int, default=0, help="one of the parts, from 1 on")
    parser.add_argument("--given", default="", help="arguments of the rankers, as JSON")
    parser.add_argument("--out", type=Path, default=Path("runs/sequences.jsonl"))
    given = parser.parse_args(arguments)
    torch.set_num_threads(1)
    given.out.parent.mkdir(parents=True, exist_ok=True)
    there = {cell_of(line): line for line in kept_lines(given.out)}
    for dataset in given.datasets.split(","):
        key, trials = prepared(dataset, given)
        some = list(trials)[given.only - 1 : given.only] if given.only else list(trials)
        lines = []
        for ranker, seed in (
            (one, int(s)) for one in given.rankers.split(",") for s in given.seeds.split(",")
        ):
            parts = []
            for who in some:
                cell = Cell(dataset, key, who, ranker, seed, given.quick, given.given)
                if cell not in there:
                    there[cell] = measured(cell, trials[who])
                    with given.out.open("a") as file:
                        file.write(json.dumps(there[cell]) + "\n")
                    seconds, loss = there[cell]["seconds"], there[cell]["loss"]
                    told = f", held-out loss {loss:.3f}" if loss else ""
                    print(f"{dataset}, {who}: {ranker} {seed}: {seconds} processor s{told}", flush=True)
                parts.append(there[cell])
            lines.append(joined(parts))
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
