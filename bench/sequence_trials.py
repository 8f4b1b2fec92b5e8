"""Who is ranked in `bench.sequences`, with what beside each target, and how a ranker does there."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rectune.core.artifacts import ArtifactStore
from rectune.core.catalogue import load_catalogue
from rectune.core.rng import generator_of
from rectune.core.rows import read_rows
from rectune.core.stats.metrics import hit_at, ndcg_at, target_rank
from rectune.core.types import Case, content_id
from rectune.evaluation.served_users import ServedUser, served_users, train_users
from rectune.evaluation.user_groups import TAIL
from rectune.pipeline.run import RunOptions, run_pipeline
from rectune.rankers.base import Ranker
from rectune.rankers.domain_data import DomainData, TrainLikes, train_likes
from rectune.rankers.holdout import target_ranks
from rectune.retrieval.embedding import embed, register

DRAWS, OTHERS, SEED = 5, 19, 7
_FEWEST = 5  # likes of a train user who is ranked
_AT_ONCE = 64  # users whose whole catalogue is scored together
_KEPT, _WIDTH = "embedded, kept in a file", 384


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


@dataclass(frozen=True)
class Wanted:
    """Which users are ranked.

    Attributes:
        users: test users, at most.
        validation: whether train users are ranked in place of test users.
        parts: 0, or into how many parts the users are divided, each of which is ranked with the likes of the
            others: without `validation` all users of the data.
        quick: popular items and 40 users.
    """

    users: int = 300
    validation: bool = False
    parts: int = 0
    quick: bool = False

    @classmethod
    def of(cls, given: argparse.Namespace) -> Wanted:
        """What a command line says."""
        return cls(given.users, given.validation, given.parts, given.quick)

    @staticmethod
    def add_to(parser: argparse.ArgumentParser) -> None:
        """The arguments of a command line."""
        parser.add_argument("--data", type=Path, default=Path("data"), help="holds one folder a dataset")
        parser.add_argument("--users", type=int, default=300, help="test users of each dataset")
        parser.add_argument("--validation", action="store_true", help="train users in place of test users")
        parser.add_argument("--parts", type=int, default=0, help="every user once, each part by the others")
        parser.add_argument("--quick", action="store_true", help="popular items, 40 users, few epochs")
        parser.add_argument("--runs", type=Path, default=Path("runs"))


def prepared(name: str, given: argparse.Namespace) -> tuple[str, dict[str, Trial]]:
    """The key of the data, and what is tested of it, by what is said of the users."""
    wanted = Wanted.of(given)
    folder = data_folder(name, given.data, given.runs, wanted)
    trials = _trials(folder, wanted, vectors_of(name, given.runs))
    for who, trial in trials.items():
        print(
            f"{name}, {who}: {len(trial.users)} users who are ranked, {len(np.unique(trial.likes.users))} of "
            f"training, {len(trial.likes.users):,} likes of theirs, {len(trial.domain.items):,} items",
            flush=True,
        )
    return folder.name, trials


def data_folder(name: str, data: Path, runs: Path, wanted: Wanted) -> Path:
    """The folder of the prepared data."""
    overrides = [
        f"data.root={data}",
        f"data.datasets=[{name}]",
        f"data.mixture_weights={{{name}: 1}}",
        f"data.test={40 if wanted.quick else wanted.users}",
        *("data.train=150", "data.preference=60", "data.train_time_quantile=1.0", "data.max_history=20"),
        *(["data.min_item_likes=60"] if wanted.quick else []),
    ]
    return run_pipeline(RunOptions(Path("demo"), overrides, "data"), ArtifactStore(runs))["data"]


def vectors_of(name: str, runs: Path) -> str:
    """The name of the embedder whose vectors of a dataset's texts are kept."""
    return kept_embedder(runs / "sequences" / f"{name} vectors.npz")


def _trials(folder: Path, wanted: Wanted, embedder: str) -> dict[str, Trial]:
    catalogue, cases = load_catalogue(folder / "items.parquet"), read_rows(folder / "cases.parquet", Case)
    (domain,) = catalogue.domains
    data = DomainData(domain, catalogue.of(domain), embedder=embedder)
    if not wanted.validation and not wanted.parts:
        own = [case for case in cases if case.split == "test" and case.history_domain == domain]
        users = [user for user in served_users(folder, own, wanted.users, SEED) if user.history]
        return {f"test {len(users)}": trial_of(data, train_likes(folder, cases, domain), users)}
    likes = train_likes(folder, cases if wanted.validation else [], domain)
    kind = "validation" if wanted.validation else "all"
    every = len(np.unique(likes.users))
    if not wanted.parts:
        users = train_users(folder, domain, likes, every // 3, _FEWEST, SEED)
        return {f"{kind} {len(users)}": trial_of(data, without(likes, _codes(users)), users)}
    users = train_users(folder, domain, likes, every, _FEWEST, SEED)
    order = generator_of("sequences, parts", SEED, wanted.parts).permutation(len(users))
    split = [[users[at] for at in sorted(some)] for some in np.array_split(order, wanted.parts)]
    return {
        f"{kind} {len(users)}, part {number} of {wanted.parts}": trial_of(
            data, without(likes, _codes(some)), some
        )
        for number, some in enumerate(split, 1)
    }


def trial_of(data: DomainData, likes: TrainLikes, users: Sequence[ServedUser]) -> Trial:
    """These users, with what is drawn beside their targets."""
    beside = partial(drawn_beside, likes=likes)
    uniform, popular = ([beside(user, popular=way) for user in users] for way in (False, True))
    return Trial(data, likes, users, uniform, popular)


def _codes(users: Sequence[ServedUser]) -> list[int]:
    """The numbers of train users, which end their names."""
    return [int(user.name.rpartition("/")[2]) for user in users]


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


def kept_embedder(file: Path) -> str:
    """The name of an embedder that gives the vectors of the embedded one, and keeps them in a file."""
    known: dict[str, NDArray[np.float32]] = {}
    if file.exists():
        with np.load(file) as kept:
            known.update(zip(kept["texts"].tolist(), kept["vectors"], strict=True))

    def vectors(texts: Sequence[str]) -> NDArray[np.float32]:
        names = [content_id("text", text) for text in texts]
        if new := {name: text for name, text in zip(names, texts, strict=True) if name not in known}:
            known.update(zip(new, embed(list(new.values())), strict=True))
            file.parent.mkdir(parents=True, exist_ok=True)
            np.savez(file, texts=np.array(list(known)), vectors=np.stack(list(known.values())))
        return np.stack([known[name] for name in names])

    register(_KEPT, _WIDTH, vectors, english=True)
    return _KEPT
