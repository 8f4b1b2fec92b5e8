"""Choosing a ranker, or the weights of a fusion, by NDCG@10 on held-out users."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from rectune.core.figures.allmrec import BesideChoice
from rectune.core.figures.fit import RankerChoice, RankerWeights, ValidatedWeights
from rectune.core.stats.metrics import UserBootstrap, hit_at, ndcg_at
from rectune.rankers.base import RANKERS, Scores
from rectune.rankers.holdout import target_ranks
from rectune.rankers.weighting import standardised_rows, weighted, weighted_sum

FEWEST = 30  # held-out users, below which nothing is chosen: the default ranks, or what ranked before
_ROUNDS = 2000  # of the bootstrap
_PARTS = 5  # of the users: weights are judged on each part as the other parts chose them
_LEARNING, _OTHERS = 3, 2  # rankers that are fused: the best that learn from likes, and of the others
_STEPS = tuple(step / 10 for step in range(1, 10))
_FURTHER = (0.1, 0.2, 0.3, 0.4)  # weights of a third ranker beside the best pair
_HALVES = (0.0, 2.0, 10.0)  # likes
_OTHERS_SHOWN = 19  # items drawn from the catalogue, less the history, that the target is told from


@dataclass(frozen=True)
class ScoredUsers:
    """Held-out users, and what each ranker makes of them.

    Attributes:
        scores: [n, items] by ranker.
        targets: [n] the place of what came next in the catalogue.
        absent: [n] places that are left out, those of the history.
        likes: [items] how many train users liked each item.
        learning: the rankers that learn from likes.
    """

    scores: Mapping[str, Scores]
    targets: Sequence[int]
    absent: Sequence[Sequence[int]]
    likes: NDArray[np.int64]
    learning: Collection[str]

    @cached_property
    def others(self) -> NDArray[np.int64]:
        """[n] how many items of the catalogue each target is ranked among, itself apart."""
        left_out = [len({target, *absent}) for target, absent in zip(self.targets, self.absent, strict=True)]
        return len(self.likes) - np.array(left_out, np.int64)

    def ranks(self, scores: Scores) -> NDArray[np.int64]:
        """[n] the rank of each target by some scores [n, items]."""
        return target_ranks(scores, self.targets, self.absent)


@dataclass(frozen=True)
class _Tried:
    """Weights, and [n] the ranks of the targets by which they are judged."""

    weights: RankerWeights
    ranks: NDArray[np.int64]

    @property
    def gains(self) -> NDArray[np.float64]:
        return ndcg_at(self.ranks, 10)

    @property
    def mean(self) -> float:
        return float(self.gains.mean())

    def first_of_twenty(self, others: NDArray[np.int64]) -> NDArray[np.float64]:
        """[n] the chance that the target comes before 19 items drawn from the `others` of each user."""
        found: NDArray[np.float64] = (1 - (self.ranks - 1) / np.maximum(others, 1)) ** _OTHERS_SHOWN
        return found

    @property
    def preference(self) -> tuple[int, int, float]:
        """Smaller is taken first: fewer rankers, of one alone that which comes first in `RANKERS`, better."""
        names, order = list(self.weights.weights), list(RANKERS)
        place = order.index(names[0]) if len(names) == 1 and names[0] in order else len(order)
        return len(names), place, -self.mean


def choose_weights(users: ScoredUsers, default: RankerWeights) -> RankerChoice:
    """The ranker or fusion with the best NDCG@10; the simplest of those that are hardly worse.

    Every ranker alone; every pair of the best, in steps of 0.1; a third beside the best pair. Fusions are
    judged on users whom their weights were not chosen on. What tells the target less well from 19 others
    than some ranker alone does is left out: the first ten of a catalogue are not all that is ranked. Of the
    rest the simplest is taken whose NDCG@10 is at most one standard error of the difference below the best
    (the one-standard-error rule of Breiman et al. 1984, "Classification and Regression Trees", on paired
    differences; for the 19 others too).

    Args:
        users: held-out users with scores.
        default: what ranks where there are too few of them.
    """
    if len(users.targets) < FEWEST:
        return RankerChoice(chosen=default, cases=len(users.targets), tried=())
    singles = [_Tried(_single(name), users.ranks(scores)) for name, scores in users.scores.items()]
    least = max((one.first_of_twenty(users.others) for one in singles), key=lambda one: float(one.mean()))
    tried = [*singles, *_fusions(users, singles, least)]
    able = [one for one in tried if _hardly_worse(least, one.first_of_twenty(users.others))]
    best = max(able, key=lambda one: one.mean)
    fair = [one for one in able if _hardly_worse(best.gains, one.gains)]
    chosen = min([best, *fair], key=lambda one: one.preference)
    bootstrap = resampled(len(users.targets))
    order = sorted(tried, key=lambda one: -one.mean)
    return RankerChoice(
        chosen=chosen.weights,
        cases=len(users.targets),
        tried=tuple(_validated(one, best, bootstrap) for one in order),
    )


def choose_beside(users: ScoredUsers, before: RankerWeights, new: Sequence[str]) -> BesideChoice:
    """What ranks where new rankers stand beside what was chosen before.

    Tried is every new ranker alone, and in steps of 0.1 beside what was chosen before. The best by NDCG@10 is
    taken if it surely is better, on users whom it was not chosen on: the 95 % interval of the difference lies
    above 0. What tells the target from 19 others less well than what was chosen before is left out.

    Args:
        users: held-out users with scores of all these rankers.
        before: what was chosen.
        new: the names of the new rankers.
    """
    own = _Tried(before, users.ranks(weighted(users.scores, before, users.learning, users.likes)))
    count, least = len(own.ranks), own.first_of_twenty(users.others)
    if count < FEWEST or not new:
        return BesideChoice(
            chosen=before, before=before, cases=count, tried=(), difference=None, interval=None
        )
    plain = {name: standardised_rows(scores).astype(np.float32) for name, scores in users.scores.items()}
    found = list[_Tried]()
    for name in new:
        options = [
            RankerWeights(weights=_with(before.weights, name, step), half_likes=before.half_likes)
            for step in _STEPS
        ]
        found += [_Tried(_single(name), users.ranks(users.scores[name]))]
        found += _best(users, plain, options, least)
    able = [own, *(one for one in found if _hardly_worse(least, one.first_of_twenty(users.others)))]
    best, bootstrap = max(able, key=lambda one: one.mean), resampled(count)
    differences = ndcg_at(cross_fitted(np.stack([one.ranks for one in able])), 10) - own.gains
    interval = bootstrap.interval(differences)
    return BesideChoice(
        chosen=best.weights if interval[0] > 0 else before,
        before=before,
        cases=count,
        tried=tuple(
            _validated(one, best, bootstrap) for one in sorted([own, *found], key=lambda one: -one.mean)
        ),
        difference=float(differences.mean()),
        interval=interval,
    )


def resampled(users: int) -> UserBootstrap:
    """The draws of so many users with a case each."""
    return UserBootstrap([str(at) for at in range(users)], _ROUNDS, 0)


def best_parameters(gains: Sequence[NDArray[np.float64]]) -> int:
    """Which parameters to take, by the same rule: the first that is hardly worse than the best.

    Args:
        gains: by parameters, the simplest first, [n] NDCG@10 of each user.
    """
    best = max(range(len(gains)), key=lambda at: float(gains[at].mean()))
    return next(at for at, own in enumerate(gains) if at == best or _hardly_worse(gains[best], own))


def _single(name: str) -> RankerWeights:
    return RankerWeights(weights={name: 1.0}, half_likes=0.0)


def _fusions(users: ScoredUsers, singles: Sequence[_Tried], least: NDArray[np.float64]) -> Iterator[_Tried]:
    """The best weights of every pair of the best rankers, and the best third beside the best pair.

    Args:
        least: [n] how well the target has to be told from 19 others.
    """
    pool = _pool(users, singles)
    plain = {name: standardised_rows(users.scores[name]).astype(np.float32) for name in pool}
    pairs = []
    for one, other in itertools.combinations(pool, 2):
        halves = _HALVES if (one in users.learning) != (other in users.learning) else _HALVES[:1]
        options = [
            RankerWeights(weights={one: round(1 - step, 1), other: step}, half_likes=half)
            for half in halves
            for step in _STEPS
        ]
        pairs += _best(users, plain, options, least)
    yield from pairs
    if not pairs or len(pool) < 3:
        return
    pair = max(pairs, key=lambda one: one.mean)
    options = [
        RankerWeights(weights=_with(pair.weights.weights, name, step), half_likes=pair.weights.half_likes)
        for name in pool
        if name not in pair.weights.weights
        for step in _FURTHER
    ]
    yield from _best(users, plain, options, least)


def _with(weights: Mapping[str, float], name: str, share: float) -> dict[str, float]:
    return {one: round(weight * (1 - share), 3) for one, weight in weights.items()} | {name: share}


def _pool(users: ScoredUsers, singles: Sequence[_Tried]) -> list[str]:
    """The names of the best rankers of both kinds, the best first; none that knows nothing of a user."""
    order = sorted(singles, key=lambda one: -one.mean)
    names = [next(iter(one.weights.weights)) for one in order if one.mean > 0]
    learning = [name for name in names if name in users.learning][:_LEARNING]
    others = [name for name in names if name not in users.learning][:_OTHERS]
    return [name for name in names if name in (*learning, *others)]


def _best(
    users: ScoredUsers,
    plain: Mapping[str, Scores],
    options: Sequence[RankerWeights],
    least: NDArray[np.float64],
) -> list[_Tried]:
    """The best of these weights, judged by each user's rank under the weights that are best for the others.

    None where all of them are worse than `least` at telling the target from others.

    So a fusion is not judged on the users that its weights were chosen on: the more weights are tried, the
    better the best of them looks by chance.
    """
    fused = (weighted_sum(plain, weights, users.learning, users.likes) for weights in options)
    every = [_Tried(weights, users.ranks(scores)) for weights, scores in zip(options, fused, strict=True)]
    able = [one for one in every if _hardly_worse(least, one.first_of_twenty(users.others))]
    if not able:
        return []
    best = max(able, key=lambda one: one.mean)
    return [_Tried(best.weights, cross_fitted(np.stack([one.ranks for one in able])))]


def cross_fitted(ranks: NDArray[np.int64]) -> NDArray[np.int64]:
    """[n] each user's rank under the option that is best, by NDCG@10, for users of the other parts.

    Args:
        ranks: [options, n].
    """
    gains = ndcg_at(ranks, 10)
    part = np.arange(ranks.shape[1]) % _PARTS
    fair: NDArray[np.int64] = ranks[0].copy()
    for each in range(min(_PARTS, ranks.shape[1])):
        others = part != each
        best = gains[:, others].mean(axis=1).argmax() if others.any() else 0
        fair[~others] = ranks[best, ~others]
    return fair


def _validated(one: _Tried, best: _Tried, bootstrap: UserBootstrap) -> ValidatedWeights:
    behind, error = _difference(best.gains, one.gains)
    return ValidatedWeights(
        weights=one.weights.weights,
        half_likes=one.weights.half_likes,
        ndcg_at_10=one.mean,
        interval=bootstrap.interval(one.gains),
        hit_at_10=float(hit_at(one.ranks, 10).mean()),
        behind=behind,
        behind_error=error,
    )


def _hardly_worse(best: NDArray[np.float64], own: NDArray[np.float64]) -> bool:
    """Whether the mean is at most one standard error of the paired differences below the best."""
    difference, error = _difference(best, own)
    return difference <= error


def _difference(best: NDArray[np.float64], own: NDArray[np.float64]) -> tuple[float, float]:
    """The mean of the paired differences, and its standard error."""
    differences = best - own
    error = differences.std(ddof=1) / np.sqrt(len(differences)) if len(differences) > 1 else 0.0
    return float(differences.mean()), float(error)
