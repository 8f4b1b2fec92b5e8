"""Ranks of `bench.learning_curve`, under weights chosen on other users, and their table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product

import numpy as np
from numpy.typing import NDArray

from bench.learning_model import Trained
from rectune.core.stats.metrics import UserBootstrap, hit_at, ndcg_at, reciprocal_ranks
from rectune.core.text.figures import with_ends
from rectune.core.text.tables import Table
from rectune.rankers.base import Scores
from rectune.rankers.choose_weights import cross_fitted
from rectune.rankers.weighting import standardised_rows

Ranks = NDArray[np.int64]
PRIORS = (0.0, 0.25, 0.5, 0.75, 1.0)  # how much of the score without a history is taken off
WEIGHTS = tuple(step / 10 for step in range(11))  # of the model beside a ranker
HEADS = (
    "trained on", "rows", "tokens", "MRR", "Hit@1", "NDCG@10", "MRR less base", "beside it: MRR",
    "less the ranker", "less base beside it",
)  # fmt: skip


@dataclass(frozen=True)
class Scored:
    """[users, candidates] of one model, the target first; what its training cost, if it was trained."""

    own: Scores
    prior: Scores
    trained: Trained | None = None


@dataclass(frozen=True)
class Group:
    """The same users and candidates under all models, and under a ranker that needs none.

    Attributes:
        name: of the domain, and what stands beside the target.
        users: ids.
        beside: name of the ranker.
        ranker: [users, candidates] its scores, the target first.
        models: by name; the base models by their way of scoring, as `base, list`.
    """

    name: str
    users: Sequence[str]
    beside: str
    ranker: Scores
    models: Mapping[str, Scored] = field(default_factory=dict)


def ranks_of(scores: Scores) -> Ranks:
    """[n] the rank of the first candidate, which loses ties."""
    found: Ranks = (~(scores < scores[..., :1])).sum(axis=-1)
    return found


def alone(model: Scored) -> Ranks:
    """The prior's weight chosen on the users of the other parts."""
    return cross_fitted(np.stack([ranks_of(model.own - one * model.prior) for one in PRIORS]))


def fused(model: Scored, ranker: Scores) -> Ranks:
    """Both weights chosen together on the users of the other parts."""
    plain = standardised_rows(ranker)
    corrected = {one: standardised_rows(model.own - one * model.prior) for one in PRIORS}
    return cross_fitted(
        np.stack(
            [
                ranks_of(weight * corrected[one] + (1 - weight) * plain)
                for weight, one in product(WEIGHTS, PRIORS)
            ]
        )
    )


def table(group: Group) -> Table:
    """A row a model, the ranker first; brackets are 95 % intervals over users."""
    bootstrap = UserBootstrap(group.users, 5000, 7)

    def mean(values: NDArray[np.float64], signed: bool = False) -> str:
        return with_ends(float(values.mean()), bootstrap.interval(values), signed=signed)

    def gain(one: Ranks, other: Ranks) -> str:
        return mean(reciprocal_ranks(one) - reciprocal_ranks(other), True)

    def figures(ranks: Ranks) -> list[str]:
        return [mean(reciprocal_ranks(ranks)), mean(hit_at(ranks, 1)), mean(ndcg_at(ranks, 10))]

    plain = ranks_of(group.ranker)
    rows = [[group.beside, "", "", *figures(plain), "", "", "", ""]]
    by_itself = {name: alone(model) for name, model in group.models.items()}
    together = {name: fused(model, group.ranker) for name, model in group.models.items()}
    base = next(iter(group.models), "")
    for name, model in group.models.items():
        cost = [f"{model.trained.rows:,}", f"{model.trained.tokens:,}"] if model.trained else ["", ""]
        own, both = by_itself[name], together[name]
        less = ["", ""] if name == base else [gain(own, by_itself[base]), gain(both, together[base])]
        shown = [less[0], mean(reciprocal_ranks(both)), gain(both, plain), less[1]]
        rows.append([name, *cost, *figures(own), *shown])
    note = f"{len(group.users)} users; beside {group.beside}; less base: less the first row of a model"
    return Table(HEADS, rows, group.name, note)


def contrasts(group: Group, pairs: Sequence[tuple[str, str]]) -> Table:
    """A row a pair of models: the first less the second, user by user."""
    bootstrap = UserBootstrap(group.users, 5000, 7)
    rows = []
    for one, other in pairs:
        first, second = group.models[one], group.models[other]
        gaps = [(alone(first), alone(second)), (fused(first, group.ranker), fused(second, group.ranker))]
        told = []
        for ours, theirs in gaps:
            values = reciprocal_ranks(ours) - reciprocal_ranks(theirs)
            told.append(with_ends(float(values.mean()), bootstrap.interval(values), signed=True))
        rows.append([f"{one}, less {other}", *told])
    heads = ("MRR of one less another", "alone", f"both beside {group.beside}")
    return Table(heads, rows, group.name, f"{len(group.users)} users")
