"""The data of `bench.allmrec_llm`: who is ranked, beside what, and what is cold."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np

from rectune.core.artifacts import ArtifactStore
from rectune.core.catalogue import load_catalogue
from rectune.core.errors import UserError
from rectune.core.rng import generator_of
from rectune.core.rows import read_rows
from rectune.core.types import Case
from rectune.evaluation.ranking_tasks import CandidateSampler
from rectune.evaluation.user_groups import TAIL, by_history_length
from rectune.pipeline.run import RunOptions, run_pipeline
from rectune.rankers.domain_data import DomainData, TrainLikes, train_likes
from rectune.rankers.eval_cases import passive_cases

DATASETS = ("movielens", "anime", "books")
ALL, COLD_ITEMS, WARM_ITEMS, COLD_USERS = "all", "cold items", "warm items", "cold users"
PROTOCOLS = ("uniform", "popularity")


@dataclass(frozen=True)
class Ask:
    """A test user's next item among others.

    Attributes:
        id: of the case.
        history: item ids, oldest first.
        target: what came next.
        candidates: the target and the others, in a drawn order.
    """

    id: str
    history: tuple[str, ...]
    target: str
    candidates: tuple[str, ...]


@dataclass(frozen=True)
class WorldOptions:
    """What is taken of a dataset.

    Attributes:
        root: the folder that holds a folder a dataset.
        runs: where the stage data keeps its results.
        test: users whom no ranker is fitted on; the same division whatever the rest says.
        users: of these, how many are ranked.
        train_users: on whom rankers are fitted: `all`, a share as `1/8`, or a number.
        history: likes of a test user that are known, the latest; 0: all that the stage data keeps.
        protocol: how the others are drawn.
        embedder: of texts.
        seed: of rankers, and of the choice of train users.
    """

    root: Path
    runs: Path
    test: int = 300
    users: int = 300
    train_users: str = "all"
    history: int = 0
    protocol: str = "uniform"
    embedder: str = "embedded"
    seed: int = 0


@dataclass(frozen=True)
class World:
    """A dataset.

    Attributes:
        name: of the dataset.
        data: items and likes of the users whom rankers are fitted on.
        asks: who is ranked.
        groups: ids of asks by group; `all` is one.
        whole: gives the same asks among all items that their users never met.
        key: of the prepared data: other files, or another division of users, have another one.
    """

    name: str
    data: DomainData
    asks: Sequence[Ask]
    groups: Mapping[str, frozenset[str]]
    whole: Callable[[], Sequence[Ask]] = tuple
    key: str = ""


def world(name: str, options: WorldOptions) -> World:
    """Run the stage data on a dataset, and draw candidates."""
    wanted = [
        f"data.root={options.root}", f"data.datasets=[{name}]", f"data.mixture_weights={{{name}: 1}}",
        f"data.test={options.test}", "data.train=150", "data.preference=60", "data.train_time_quantile=1.0",
        "data.max_history=20",
    ]  # fmt: skip
    folder = run_pipeline(RunOptions(Path("demo"), wanted, "data"), ArtifactStore(options.runs))["data"]
    catalogue, cases = load_catalogue(folder / "items.parquet"), read_rows(folder / "cases.parquet", Case)
    [domain] = catalogue.domains
    likes = part_of(train_likes(folder, cases, domain), options.train_users, options.seed)
    own = [case for case in cases if case.split == "test" and case.domain == case.history_domain == domain]
    tests = passive_cases(sorted(own, key=lambda case: case.id), catalogue, {domain: "en"})
    pools = CandidateSampler(folder, tests, lambda _: likes)
    drawn = partial(pools.drawn, protocol=options.protocol, draw=0, seed=options.seed)
    asks = [
        Ask(one.case.id, latest(one.case.history, options.history), one.case.target, drawn(one).candidates)
        for one in tests[: options.users]
    ]
    met = {one.case.id: pools.interactions(one) for one in tests}
    groups = {
        group: frozenset(one.case.id for one in found)
        for group, found in by_history_length(tests, pools, lambda _: likes).items()
        if group in (COLD_ITEMS, WARM_ITEMS)
    }
    data = DomainData(domain, catalogue.of(domain), lambda: likes, options.embedder, options.seed)
    every = {ALL: frozenset(met), **groups, COLD_USERS: cold_users(met)}

    def whole() -> list[Ask]:
        return [
            replace(ask, candidates=pools.full(one).candidates) for ask, one in zip(asks, tests, strict=False)
        ]

    return World(name, data, asks, every, whole, folder.name)


def latest(history: Sequence[str], count: int) -> tuple[str, ...]:
    """The latest so many of a history; all for 0."""
    return tuple(history[-count:] if count else history)


def cold_users(met: Mapping[str, int]) -> frozenset[str]:
    """Those who met no more items than the 35 % do who met the fewest."""
    most = np.quantile(list(met.values()), TAIL) if met else 0
    return frozenset(case for case, count in met.items() if count <= most)


def part_of(likes: TrainLikes, users: str, seed: int) -> TrainLikes:
    """The likes of some of the users, drawn by the seed: the fewer are among the more.

    Args:
        likes: of all train users.
        users: `all`, a share as `1/8`, or how many; all where there are no more.
        seed: of the draw.

    Raises:
        UserError: it is none of these.
    """
    if users == "all":
        return likes
    every = np.unique(likes.users)
    above, slash, below = users.partition("/")
    try:
        wanted = round(len(every) * int(above) / int(below)) if slash else int(above)
    except (ValueError, ZeroDivisionError):
        raise UserError(f"there are no {users} train users", hint="give all, 1/8, or a number") from None
    chosen = generator_of("bench allmrec, train users", seed).permutation(every)[:wanted]
    kept = np.isin(likes.users, chosen)
    times = None if likes.times is None else likes.times[kept]
    return TrainLikes(likes.item_ids, likes.users[kept], likes.items[kept], times)


def foreign(other: World) -> World:
    """Another dataset as rankers see it that were not fitted on it: without likes, of its items only those
    that are asked about, and these under ids that no other dataset has.
    """

    def named(item: str) -> str:
        return f"{other.name}/{item}"

    asks = [
        Ask(ask.id, tuple(map(named, ask.history)), named(ask.target), tuple(map(named, ask.candidates)))
        for ask in other.asks
    ]
    asked = {item: None for ask in other.asks for item in (*ask.history, *ask.candidates)}
    items = [replace(other.data.items[item], item_id=named(item)) for item in asked]
    data = DomainData(other.data.domain, items, None, other.data.embedder, other.data.seed)
    return World(other.name, data, asks, other.groups)
