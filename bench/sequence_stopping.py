"""`python -m bench.sequence_stopping --data path`: when to stop training a sequence network.

Train users who are held out (as in `bench.sequences --validation`, a third, or each part by the others) are
ranked after every epoch of a training that is not stopped: so each way to stop is tried on the same training.
A way goes by a measure of the likes that training holds out: NDCG@10 or cross-entropy, of the last like of
each history alone or of all that are held out; the first best epoch is taken when so many epochs bring
nothing better, by the measure as it is or its mean over the latest three. The weights are those of the epoch,
or a running mean over the epochs. `--dataset made-up --parts 10` takes ten made-up worlds in place of data.
Each training is a line of `--out`, and is not done again if it is there.
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
from torch import Tensor

from bench.sequence_trials import SEED, Trial, Wanted, figures, prepared
from bench.sequence_world import made_up
from bench.sequences import FIGURES, kept_lines
from rectune.core.stats.metrics import UserBootstrap
from rectune.core.text.figures import with_ends
from rectune.core.text.tables import Table
from rectune.rankers.base import ranker_class
from rectune.rankers.liked_items import most_liked
from rectune.rankers.sequential.ranker import SequentialRanker
from rectune.rankers.sequential.sequences import HeldOut, hold_out, sequences_of
from rectune.rankers.sequential.validation import HeldOutFigures, Validation

MEANS = {"the epoch's": 0.0, "mean, 0.7 old": 0.7}
MEASURES = ("last_ndcg", "last_loss", "ndcg", "loss")
HEADS = ("stopped by", "weights", "epochs", "taken", *FIGURES)
_PLATEAU, _PLATEAU_EPOCHS = 1.1, 30


class Way(NamedTuple):
    """A way to stop: by a measure, its mean over so many epochs, after so many without a better one."""

    measure: str
    patience: int = 5
    over: int = 1

    @property
    def words(self) -> str:
        """For the table."""
        held = "the last likes" if self.measure.startswith("last") else "several last likes"
        kind = "NDCG@10" if self.measure.endswith("ndcg") else "loss"
        mean = f", mean of {self.over} epochs" if self.over > 1 else ""
        return f"{kind} of {held}{mean}, patience {self.patience}"


WAYS = (
    Way("last_ndcg"), Way("ndcg"), Way("ndcg", 5, 3), Way("last_loss"), Way("last_loss", 5, 3), Way("loss"),
    Way("loss", 3), Way("loss", 2),
)  # fmt: skip


def stopped(values: Sequence[float], way: Way, popularity: float) -> tuple[int, int]:
    """The epochs that a training takes, and the one whose weights are taken, from 1 on."""
    sign = 1 if way.measure.endswith("ndcg") else -1
    found = sign * np.array([np.mean(values[max(0, n - way.over + 1) : n + 1]) for n in range(len(values))])
    for done in range(1, len(found) + 1):
        best = int(np.argmax(found[:done]))
        left = sign < 0 or max(values[:done]) > _PLATEAU * popularity or done >= _PLATEAU_EPOCHS
        if left and done - 1 - best >= way.patience:
            return done, best + 1
    return len(found), int(np.argmax(found)) + 1


class Watch:
    """Measures after each epoch, for several kinds of weights: what is held out, and users who are ranked."""

    def __init__(self, trial: Trial, ranker: SequentialRanker, seed: int) -> None:
        self._trial, self.epochs = trial, list[dict[str, Any]]()
        liked = most_liked(trial.likes)
        row_of = np.zeros(len(trial.likes.item_ids), np.int64)
        row_of[liked] = np.arange(1, len(liked) + 1)
        _, held = hold_out(sequences_of(trial.likes, row_of), ranker.parameters["max_length"], seed)
        counts = torch.from_numpy(trial.likes.counts[liked])
        self._held_out, self._last = Validation(held, counts), _is_last(held)
        last = HeldOut(held.windows, held.rows[self._last], held.columns[self._last])
        self.popularity = _measures(Validation(last, counts).popularity(), self._held_out.popularity())
        self.held_out = [len(last.rows), len(held.rows)]
        self._means: dict[str, dict[str, Tensor]] = {}

    def __call__(self, ranker: SequentialRanker) -> None:
        """See `SequentialRanker.watch`."""
        network = ranker.fitted_network
        now = {name: value.clone() for name, value in network.state_dict().items()}
        found = {}
        for name, old in MEANS.items():
            before = self._means.get(name, now)
            self._means[name] = {key: torch.lerp(value, before[key], old) for key, value in now.items()}
            network.load_state_dict(self._means[name])
            ranks, losses = self._held_out.each(network)
            last = HeldOutFigures.of(ranks[self._last], losses[self._last])
            measures = _measures(last, HeldOutFigures.of(ranks, losses))
            found[name] = measures | {"users": figures(ranker, self._trial, self._trial.users)}
        network.load_state_dict(now)
        self.epochs.append(found)


def _measures(last: HeldOutFigures, every: HeldOutFigures) -> dict[str, Any]:
    return dict(zip(MEASURES, (*last, *every), strict=True))


def _is_last(held: HeldOut) -> NDArray[np.bool_]:
    """[held-out items] whether it is the last of its history."""
    ends = np.array([len(one) for one in held.windows])
    found: NDArray[np.bool_] = held.columns == ends[held.rows] - 1
    return found


def watched(name: str, trial: Trial, seed: int, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Train and measure: what a line has besides what it is of."""
    kind = ranker_class(name)
    assert issubclass(kind, SequentialRanker)
    domain = trial.domain.with_likes(trial.likes)
    domain.seed = seed
    if kind.learns_from_texts:
        domain.all_vectors()
    ranker = kind(**{**parameters, "patience": parameters["epochs"]})
    watch = Watch(trial, ranker, seed)
    ranker.watch, begun = watch, time.process_time()
    ranker.fit(domain)
    seconds = round(time.process_time() - begun, 1)
    return {
        "seconds": seconds, "held_out": watch.held_out, "popularity": watch.popularity,
        "epochs": watch.epochs,
    }  # fmt: skip


def taken(line: Mapping[str, Any], way: Way, weights: str) -> tuple[int, int, dict[str, list[float]]]:
    """The epochs, the epoch that is taken, and what its weights come to for the users."""
    values = [epoch[weights][way.measure] for epoch in line["epochs"]]
    epochs, best = stopped(values, way, line["popularity"][way.measure])
    return epochs, best, line["epochs"][best - 1][weights]["users"]


def table(name: str, lines: Sequence[Mapping[str, Any]]) -> Table:
    """A row a way and kind of weights: what it comes to, and the first of them less than each."""
    rows, base = [], dict[str, NDArray[np.float64]]()
    for weights in MEANS:
        for way in WAYS:
            each = [taken(line, way, weights) for line in lines]
            users = {f: np.concatenate([np.array(one[2][f]) for one in each]) for f in FIGURES}
            base = base or users
            resampled = UserBootstrap([str(at) for at in range(len(users["ndcg"]))], 10_000, SEED)
            cells = []
            for figure, own in users.items():
                less = own - base[figure]
                ends = with_ends(float(less.mean()), resampled.interval(less), signed=True)
                cells.append(f"{own.mean():.3f}, {ends}")
            stops = [", ".join(str(one[at]) for one in each) for at in (0, 1)]
            rows.append([way.words, weights, *stops, *cells])
    return Table(HEADS, rows, f"{name}: each figure, and how much it is above that of the first row")


def main(arguments: Sequence[str] | None = None) -> None:
    """Train what is not there yet, and print the tables."""
    parser = argparse.ArgumentParser(prog="python -m bench.sequence_stopping", description=__doc__)
    Wanted.add_to(parser)
    parser.set_defaults(validation=True)
    parser.add_argument("--dataset", default="movielens")
    parser.add_argument("--rankers", default="sasrec,sasrec_text")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--epochs", type=int, default=40)
    parser.add_argument("--only", type=int, default=0, help="one of the parts, from 1 on")
    parser.add_argument("--given", default="{}", help="arguments of the rankers, as JSON")
    parser.add_argument("--out", type=Path, default=Path("runs/sequence_stopping.jsonl"))
    given = parser.parse_args(arguments)
    torch.set_num_threads(1)
    given.out.parent.mkdir(parents=True, exist_ok=True)
    there = {tuple(line["of"]): line for line in kept_lines(given.out)}
    if given.dataset == "made-up":
        key, trials = given.dataset, {f"world {seed}": made_up(seed) for seed in range(max(given.parts, 1))}
    else:
        key, trials = prepared(given.dataset, given)
    some = list(trials)[given.only - 1 : given.only] if given.only else list(trials)
    for ranker in given.rankers.split(","):
        lines = []
        for who in some:
            cell = (key, who, ranker, given.seed, given.epochs, given.given)
            if cell not in there:
                parameters = json.loads(given.given) | {"epochs": given.epochs}
                there[cell] = {"of": cell, **watched(ranker, trials[who], given.seed, parameters)}
                with given.out.open("a") as file:
                    file.write(json.dumps(there[cell]) + "\n")
                print(f"{who}: {ranker}: {there[cell]['seconds']} processor s", flush=True)
            lines.append(there[cell])
        print(table(ranker, lines).to_markdown(), end="\n\n", flush=True)


if __name__ == "__main__":
    main()
