"""`make bench-rectools DATA=path`: our SASRec against that of RecTools, under leave-last-out, same users.

`DATA` holds MovieLens (any edition, docs/data.md), which is prepared as in `recipes/published-ml1m.yaml`.
RecTools needs other versions of numpy and pandas, so it is installed into an environment of its own, once
(`--environment`), and gets the likes as a file. Both train on all likes but the last two of every user, as
long as NDCG@10 gets better: RecTools' by the second last likes, in rounds of five epochs, ours by likes that
it holds back itself. Both have vectors of 64, two blocks, two heads, dropout 0.2, the same length of
histories, cross-entropy over all items (ours over drawn ones above 10,000) and one thread. Then each ranks
all items but those of the history for the last like of every user. Where RecTools cannot be installed, that
is said, and ours is measured alone.
"""

from __future__ import annotations

import argparse
import csv
import json
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from rectune.core.catalogue import load_catalogue
from rectune.core.stats.metrics import UserBootstrap, hit_at, ndcg_at
from rectune.core.text.figures import with_ends
from rectune.core.text.tables import Table
from rectune.evaluation.last_likes import LastLikes, split_last_likes
from rectune.evaluation.leave_last_out import LISTED, ranks_of
from rectune.pipeline.run import run_recipe
from rectune.rankers.domain_data import DomainData
from rectune.rankers.sequential.sasrec import SasRec

CHILD = Path(__file__).parent / "rectools_child.py"
_ROUNDS = 2000


class Outcome(NamedTuple):
    """The rank of each user's last like (one that is not listed has a rank behind the list), processor
    seconds of training and choosing, and epochs trained.
    """

    ranks: NDArray[np.int64]
    seconds: float
    epochs: int


def prepared(data: Path, runs: Path) -> tuple[DomainData, LastLikes]:
    """The films and the split likes."""
    made = run_recipe("published-ml1m", {"data.root": data}, "data", runs=runs).paths["data"]
    split = split_last_likes(made, "movies")
    items = load_catalogue(made / "items.parquet").of("movies")
    return DomainData("movies", items, lambda: split.train), split


def ours(data: DomainData, split: LastLikes, length: int) -> Outcome:
    """rectune's."""
    begun = time.process_time()
    ranker = SasRec(max_length=length).fit(data)
    seconds = time.process_time() - begun
    return Outcome(ranks_of(ranker, split.test), seconds, len(ranker.record.ndcg))


def export(split: LastLikes, folder: Path) -> None:
    """likes.csv: every like of the tested users by place in their history, and its part."""
    with (folder / "likes.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(("user", "item", "place", "part"))
        for user, (validation, test) in enumerate(zip(split.validation, split.test, strict=True)):
            for place, item in enumerate(validation.history):
                rows.writerow((user, item, place, 0))
            rows.writerow((user, validation.target, len(validation.history), 1))
            rows.writerow((user, test.target, len(test.history), 2))


def rival(python: Path, split: LastLikes, length: int) -> Outcome:
    """RecTools'."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        export(split, folder)
        done = subprocess.run(
            [python, CHILD, folder, str(length)], cwd=folder, capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise SystemExit(f"RecTools failed:\n{done.stderr[-2000:]}")
        figures = json.loads((folder / "figures.json").read_text())
        with (folder / "ranks.csv").open() as file:
            found = {int(row["user"]): int(row["rank"]) for row in csv.DictReader(file)}
    # Who is not in the file was known to RecTools by no item, and got no list.
    ranks = np.array([found.get(user, 0) or LISTED + 1 for user in range(len(split.test))], np.int64)
    return Outcome(ranks, figures["seconds"], figures["epochs"])


def installed(environment: Path) -> Path | None:
    """The Python of the environment with RecTools, which is made if it is not there; None if it cannot be."""
    python = environment / "bin" / "python"
    if not _works(python):
        subprocess.run(["python3", "-m", "venv", environment], check=False)
        packages = (f"torch=={torch.__version__}", "rectools[torch]")
        command = [str(python), "-m", "pip", "install", "--quiet", *packages]
        try:
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            why = done.stderr.strip().rpartition("\n")[2]
        except OSError as problem:
            why = str(problem)
        if not _works(python):
            print(f"left out: RecTools cannot be installed into {environment}: {why}", flush=True)
            return None
    return python


def _works(python: Path) -> bool:
    if not python.exists():
        return False
    asked = [str(python), "-c", "from rectools.models import SASRecModel"]
    return subprocess.run(asked, capture_output=True, check=False).returncode == 0


def row(name: str, found: Outcome, first: Outcome, resampled: UserBootstrap) -> list[str]:
    """The cells of a system, beside the first one."""
    hits, gains = hit_at(found.ranks, LISTED), ndcg_at(found.ranks, LISTED)
    less = gains - ndcg_at(first.ranks, LISTED)
    return [
        name,
        with_ends(float(hits.mean()), resampled.interval(hits)),
        with_ends(float(gains.mean()), resampled.interval(gains)),
        "" if found is first else with_ends(float(less.mean()), resampled.interval(less), signed=True),
        f"{found.epochs}",
        f"{found.seconds:.0f}",
        f"{found.seconds / first.seconds:.2f}",
    ]


HEADS = ("SASRec of", "HR@10", "NDCG@10", "less ours", "epochs", "processor s", "times ours")


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m bench.rectools_rival", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="the folder with movielens/")
    parser.add_argument("--environment", type=Path, default=Path("runs/rectools"), help="where RecTools is")
    parser.add_argument("--length", type=int, default=50, help="items of a history that are seen")
    given = parser.parse_args(arguments)
    torch.set_num_threads(1)
    python = installed(given.environment.absolute())
    with tempfile.TemporaryDirectory() as runs:
        data, split = prepared(given.data.absolute(), Path(runs))
        found = {"rectune": ours(data, split, given.length)}
    if python:
        found["RecTools"] = rival(python, split, given.length)
    resampled = UserBootstrap([str(user) for user in range(len(split.test))], _ROUNDS, 0)
    print(
        f"{len(split.test):,} users, {len(data.items):,} items, {len(split.train.users):,} likes to train on"
    )
    rows = [row(name, one, found["rectune"], resampled) for name, one in found.items()]
    print(Table(HEADS, rows).to_markdown())


if __name__ == "__main__":
    main()
