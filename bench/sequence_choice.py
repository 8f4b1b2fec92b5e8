"""`python -m bench.sequence_choice --data path/to/data`: does validation take a network, and is that better?

All users of MovieLens or anime with two likes and more are held out by fifths, as the stage `fit` does it:
each fifth is ranked by rankers that are fitted on the others. For each fifth the rule of `fit` then chooses
on the four others among its default rankers, and among these and a network (`--also`), and each choice ranks
that fifth: nobody is ranked by what was fitted or chosen on them. Parameters alone are tuned on all fifths,
for both choices alike. Beside them stand single rankers, and each pair of `--pairs`, whose weights are taken
for each fifth from the four others. Users with histories of five items and more, whole catalogue but for
their history. Hit@1 of 20 is the chance that the target comes before 19 others drawn uniformly; popular ones
are drawn five times, in proportion to their likes. Intervals of 95 % are of users drawn with replacement, for
one seed of training.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from bench.sequence_trials import OTHERS, SEED, Wanted, data_folder, drawn_beside, vectors_of
from rectune.core.catalogue import load_catalogue
from rectune.core.figures.fit import RankerWeights
from rectune.core.settings import FitConfig
from rectune.core.stats.metrics import UserBootstrap, hit_at, ndcg_at
from rectune.core.text.figures import with_ends
from rectune.core.text.tables import Table
from rectune.evaluation.served_users import ServedUser
from rectune.rankers.base import Scores, ranker_class
from rectune.rankers.choice import validation_folds
from rectune.rankers.choose_weights import ScoredUsers, choose_weights
from rectune.rankers.domain_data import DomainData, train_likes
from rectune.rankers.fit_cache import FitCache
from rectune.rankers.tuning import Fold, fitted_on_fold, tuned_parameters
from rectune.rankers.weighting import label_of, weighted

_DEFAULT = RankerWeights(weights={"hybrid": 1.0}, half_likes=0.0)

Figures = Mapping[str, NDArray[np.float64]]
HEADS = ("what ranks", "n", "Hit@1 of 20, uniform", "Hit@1 of 20, popular", "HR@10", "NDCG@10")


class Held(NamedTuple):
    """The users of a fold, what each ranker makes of them, and what stands beside their targets."""

    users: ScoredUsers
    beside: Sequence[Sequence[NDArray[np.int64]]]


def held(data: DomainData, fold: Fold, scores: Mapping[str, Scores]) -> Held:
    """The users of a fold with long histories; popular others by the likes of the fold's train users."""
    likes, place = fold.fitted.data.likes, data.place
    learning = [name for name in scores if ranker_class(name).learns_from_likes]
    users = ScoredUsers(scores, fold.targets["5+"], fold.absent["5+"], likes.counts, learning)
    some = [
        ServedUser(f"{fold.identity}/{at}", user.history, user.target, frozenset(user.history))
        for at, user in enumerate(fold.users["5+"])
    ]
    drawn = [drawn_beside(user, likes, popular=True) for user in some]
    return Held(users, [[np.array([place[item] for item in draw]) for draw in own] for own in drawn])


def figures(own: Held, weights: RankerWeights) -> Figures:
    """[users] of each figure, ranked by a fold's rankers with these weights."""
    scores = weighted(own.users.scores, weights, own.users.learning, own.users.likes)
    ranks = own.users.ranks(scores)
    popular = [
        np.mean([not (row[draw[1:]] >= row[draw[0]]).any() for draw in draws])
        for row, draws in zip(scores, own.beside, strict=True)
    ]
    return {
        "uniform": (1 - (ranks - 1) / np.maximum(own.users.others, 1)) ** OTHERS,
        "popular": np.array(popular),
        "hr": hit_at(ranks, 10),
        "ndcg": ndcg_at(ranks, 10),
    }


def together(parts: Sequence[Held], names: Sequence[str], likes: NDArray[np.int64]) -> ScoredUsers:
    """The users of several folds, scored by these rankers; `likes` [items] as for `ScoredUsers`."""
    return ScoredUsers(
        {name: np.concatenate([one.users.scores[name] for one in parts]) for name in names},
        [target for one in parts for target in one.users.targets],
        [absent for one in parts for absent in one.users.absent],
        likes,
        [name for name in names if name in parts[0].users.learning],
    )


def joined(parts: Sequence[Figures]) -> Figures:
    """The figures of the users of all folds."""
    return {name: np.concatenate([one[name] for one in parts]) for name in parts[0]}


def chosen_for_each(
    parts: Sequence[Held], names: Sequence[str], likes: NDArray[np.int64]
) -> list[RankerWeights]:
    """For each fold what the rule of `fit` takes of these rankers, on the other folds."""
    return [
        choose_weights(together([*parts[:at], *parts[at + 1 :]], names, likes), _DEFAULT).chosen
        for at in range(len(parts))
    ]


def pair_for_each(parts: Sequence[Held], one: str, other: str) -> list[RankerWeights]:
    """For each fold the weights of a pair, in steps of 0.1, with the best NDCG@10 on the other folds."""
    options = [
        RankerWeights(weights={one: round(1 - step / 10, 1), other: step / 10}, half_likes=0.0)
        for step in range(1, 10)
    ]
    gains = [[figures(own, weights)["ndcg"] for own in parts] for weights in options]
    return [
        max(
            zip(options, gains, strict=True),
            key=lambda option: float(np.concatenate(option[1][:at] + option[1][at + 1 :]).mean()),
        )[0]
        for at in range(len(parts))
    ]


def tables(found: Mapping[str, Figures], less: Sequence[tuple[str, str]]) -> list[Table]:
    """Every system's figures, and the paired differences of some."""
    count = len(next(iter(found.values()))["ndcg"])
    resampled = UserBootstrap([str(at) for at in range(count)], 10_000, SEED)

    def row(name: str, own: Figures, signed: bool) -> list[str]:
        cells = [with_ends(float(one.mean()), resampled.interval(one), signed=signed) for one in own.values()]
        return [name, f"{count}", *cells]

    rows = [row(name, own, False) for name, own in found.items()]
    beyond = [
        row(f"{one} less {other}", {name: found[one][name] - found[other][name] for name in found[one]}, True)
        for one, other in less
    ]
    return [Table(HEADS, rows, "all users"), Table(HEADS, beyond, "paired differences")]


def main(arguments: Sequence[str] | None = None) -> None:
    """Fit, choose, rank, print."""
    given = _arguments(arguments)
    torch.set_num_threads(1)
    folder = data_folder(given.dataset, given.data, given.runs, Wanted(quick=given.quick))
    catalogue = load_catalogue(folder / "items.parquet")
    (domain,) = catalogue.domains
    likes = train_likes(folder, [], domain)
    embedder = vectors_of(given.dataset, given.runs)
    data = DomainData(domain, catalogue.of(domain), lambda: likes, embedder, given.seed)
    also, usual = given.also.split(","), list(FitConfig().rankers)
    folds = validation_folds(data, len([*usual, *also]), len(np.unique(likes.users)), given.seed)
    cache = FitCache(given.runs / "rankers")
    scores: list[dict[str, Scores]] = [{} for _ in folds]
    for name in [*usual, *also]:
        parameters = tuned_parameters(name, folds, cache)
        for own, fold in zip(scores, folds, strict=True):
            own[name] = fold.scores(fitted_on_fold(name, parameters, fold, cache), "5+")
        print(f"{name}: {dict(parameters) or 'its defaults'}", flush=True)
    parts = [held(data, fold, own) for fold, own in zip(folds, scores, strict=True)]
    trained = ", ".join(f"{len(np.unique(fold.fitted.data.likes.users))}" for fold in folds)
    print(f"{given.dataset}: {len(folds)} fifths, rankers of each are fitted on {trained} users", flush=True)
    beside = f"chosen with {given.also}"
    weights = {
        "chosen": chosen_for_each(parts, usual, likes.counts),
        beside: chosen_for_each(parts, [*usual, *also], likes.counts),
        **{
            name: [RankerWeights(weights={name: 1.0}, half_likes=0.0)] * len(parts)
            for name in [*usual, *also]
        },
        **{pair: pair_for_each(parts, *pair.split("+")) for pair in given.pairs.split(",")},
    }
    for name in ("chosen", beside, *given.pairs.split(",")):
        print(f"{name}: {'; '.join(label_of(one) for one in weights[name])}", flush=True)
    found = {
        name: joined([figures(part, one) for part, one in zip(parts, each, strict=True)])
        for name, each in weights.items()
    }
    pairs = [(pair, one) for pair in given.pairs.split(",") for one in pair.split("+")]
    served = [(beside, "chosen"), ("chosen", "ease"), (beside, "ease")]
    for table in tables(found, [*served, *((name, "ease") for name in also), *pairs]):
        print(table.to_markdown(), end="\n\n", flush=True)


def _arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.sequence_choice", description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("data"), help="holds one folder a dataset")
    parser.add_argument("--dataset", default="movielens")
    parser.add_argument("--also", default="sasrec_text", help="rankers beside the default ones of `fit`")
    parser.add_argument("--pairs", default="ease+sasrec_text")
    parser.add_argument("--seed", type=int, default=7, help="of the fifths and of training")
    parser.add_argument("--quick", action="store_true", help="popular items alone: not worth quoting")
    parser.add_argument("--runs", type=Path, default=Path("runs"))
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main()
