"""Test users of `bench.learning_curve`: what stands beside their target, and rankers that need no model."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from bench.cold_start import POOL as RANKERS
from bench.cold_start import drawn_users
from bench.learning_rows import World
from rectune.core.artifacts import ArtifactStore
from rectune.core.catalogue import load_catalogue
from rectune.core.errors import UserError
from rectune.core.rng import generator_of
from rectune.core.rows import read_rows
from rectune.core.settings import FitConfig
from rectune.core.types import Case
from rectune.models.chat_tokenization import ChatEncoder
from rectune.pipeline.run import RunOptions, run_pipeline
from rectune.rankers.base import Ranker, fit_ranker, ranker_class
from rectune.rankers.choice import ChoiceOptions
from rectune.rankers.chosen import ChosenRanker
from rectune.rankers.domain_data import DomainData, train_likes

TRAINED, LEFT_OUT = ("anime", "movies"), "books"
OTHERS, POOL = 19, 400
MOST = 300  # test users of a domain: MovieLens has 671 users in all
_DATASETS = {"anime": "anime", "movies": "movielens", LEFT_OUT: "books"}
_TRAIN_CASES, _QUICK_CASES = 9000, 60
_DRAWN = 400  # items, of which those that the user met are left out


@dataclass(frozen=True)
class Asked:
    """A test user.

    Attributes:
        case: history and target.
        shown: by kind of others, the target first.
        beside: the scores of these under each ranker that the model is fused with, by its name.
    """

    case: Case
    shown: Mapping[str, Sequence[str]]
    beside: Mapping[str, Mapping[str, Sequence[float]]]


def beside_of(domain: str, learn_from: int = 0) -> tuple[str, ...]:
    """The rankers that a model has to add something to: EASE, or with few users what is chosen for them."""
    if domain == LEFT_OUT:
        return ("hybrid",)
    return ("hybrid", "chosen") if learn_from else ("ease",)


def data_folder(given: argparse.Namespace) -> Path:
    """The finished stage `data`."""
    names = ", ".join(_DATASETS.values())
    counts = (_TRAIN_CASES, 3 * MOST) if given.data else (_QUICK_CASES, 12)
    wanted = [
        f"data.datasets=[{names}]",
        f"data.mixture_weights={{{', '.join(f'{name}: 1' for name in _DATASETS.values())}}}",
        f"data.train={counts[0]}", f"data.test={counts[1]}", "data.preference=6",
        "data.train_time_quantile=1.0", "data.max_history=10",
    ]  # fmt: skip
    if given.data:
        wanted.append(f"data.root={given.data}")
    return run_pipeline(RunOptions(Path("demo"), wanted, "data"), ArtifactStore(given.runs))["data"]


def read_world(folder: Path, tokenizer: Any) -> World:
    """The domains that the stage `data` found, and all its cases."""
    catalogue, cases = load_catalogue(folder / "items.parquet"), read_rows(folder / "cases.parquet", Case)
    domains = {
        domain: DomainData(domain, catalogue.of(domain), partial(train_likes, folder, cases, domain))
        for domain in _DATASETS
    }
    return World(catalogue, domains, cases, tokenizer, ChatEncoder(tokenizer))


def learning_from(world: World, users: int) -> World:
    """The world as far as so many train users of each domain that is trained on show it; 0: all of them."""
    if not users:
        return world
    few = {
        domain: data.with_likes(drawn_users(data.likes, users, 0)) if domain in TRAINED else data
        for domain, data in world.domains.items()
    }
    # Likes have users by number and cases by name: with few users there are lists alone, made of likes.
    return replace(world, domains=few, cases=[case for case in world.cases if case.split == "test"])


def asked_in(
    world: World, folder: Path, domain: str, users: int, rankers: Mapping[str, Ranker]
) -> list[Asked]:
    """The first test users of a domain, in an order that says nothing.

    Args:
        world, folder: of the stage `data`; what stands beside targets is drawn by all train users.
        domain: whose users.
        users: at most so many.
        rankers: those that a model has to add something to.
    """
    data = world.domains[domain]
    test = [
        case for case in world.cases if case.split == "test" and case.domain == case.history_domain == domain
    ]
    test = sorted(test, key=lambda case: case.id)[:users]
    met = _met(folder, domain, {case.user for case in test})
    ids, likes = data.likes.item_ids, data.likes.counts
    pool = generator_of("pool", domain).permutation(len(ids))[:POOL]
    shares = likes / likes.sum()
    shown = [{"uniform": _beside(case, "uniform", ids, pool, None, met[case.user])} for case in test]
    if domain in TRAINED:
        every = np.arange(len(ids))
        for case, one in zip(test, shown, strict=True):
            one["popular"] = _beside(case, "popular", ids, every, shares, met[case.user])
    histories = [case.history for case in test]
    scores = {
        kind: {name: one.score(histories, [some[kind] for some in shown]) for name, one in rankers.items()}
        for kind in shown[0]
    }
    return [
        Asked(
            case,
            one,
            {kind: {name: rows[at].tolist() for name, rows in own.items()} for kind, own in scores.items()},
        )
        for at, (case, one) in enumerate(zip(test, shown, strict=True))
    ]


def _beside(
    case: Case, kind: str, ids: Sequence[str], among: Any, weights: Any, met: frozenset[str]
) -> tuple[str, ...]:
    """The target, and others that the user did not meet."""
    rng = generator_of("others", kind, case.id)
    drawn = [] if weights is None else rng.choice(among, _DRAWN, p=weights).tolist()
    places = dict.fromkeys([*drawn, *rng.permutation(among).tolist()])  # uniform ones if there are too few
    others = [item for at in places if (item := ids[at]) not in met]
    return (case.target, *[item for item in others if item != case.target][:OTHERS])


def _met(folder: Path, domain: str, users: set[str]) -> dict[str, frozenset[str]]:
    """All items that some users had anything to do with."""
    import polars as pl

    own = pl.col("domain") == domain
    people = pl.scan_parquet(folder / "users.parquet").filter(own & pl.col("user_id").is_in(list(users)))
    items = pl.scan_parquet(folder / "items.parquet").filter(own).select("item", "item_id")
    found = (
        pl.scan_parquet(folder / "interactions.parquet")
        .filter(own)
        .join(people.select("user", "user_id"), on="user")
        .join(items, on="item")
        .group_by("user_id")
        .agg("item_id")
        .collect()
    )
    return {user: frozenset(some) for user, some in found.iter_rows()}


def fitted(name: str, data: DomainData, kept: Path) -> Ranker:
    """Fitted once, since it takes long."""
    folder = kept / f"{name}-{data.domain}"
    try:
        return ranker_class(name).load(folder)
    except UserError:
        if name == "chosen":
            ranker: Ranker = ChosenRanker().fit_with(data, ChoiceOptions(RANKERS, FitConfig().users))
        else:
            ranker = fit_ranker(name, data)
        ranker.save(folder)
        return ranker
