"""The figures of protocol `served` from ranks, with intervals, for one domain or several together."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import compress

import numpy as np
from numpy.typing import NDArray

from rectune.core.figures.record import MeanInterval
from rectune.core.figures.served import (
    BEST_ALONE,
    LIKES_BINS,
    SERVED,
    LikesBin,
    ServedDifference,
    ServedGroup,
    ServedRank,
    ServedSystem,
)
from rectune.core.rng import seed_of
from rectune.core.settings import EvaluateConfig
from rectune.core.stats.metrics import UserBootstrap, hit_at, ndcg_at, percentiles
from rectune.evaluation.served_ranks import LISTED, TargetRanks

AGAINST = ("ease", "als")  # rankers that what is served is always compared with, where they are fitted
_FEWEST = 10  # users, below which a bootstrap over them says too little, and no interval is given
_KEPT = 3  # sets of draws, each of rounds times users
_FIRST = {"0": 0, "1-4": 1, "5-19": 5, "20+": 20}  # the fewest likes of each bin

Values = NDArray[np.float64]


@dataclass(frozen=True)
class RankedUsers:
    """The ranks of the targets of one domain's users, by every system.

    Attributes:
        users: [n] names of test users.
        train_users: [m] names of train users.
        likes: [n] how many train users liked each target.
        tests: by system; the first is `served`.
        trains: [m] by system, the ranks in the whole catalogue.
        best_alone: the ranker that did best by itself on validation users, if any were measured.
    """

    users: Sequence[str]
    train_users: Sequence[str]
    likes: NDArray[np.int64]
    tests: Mapping[str, TargetRanks]
    trains: Mapping[str, NDArray[np.int64]]
    best_alone: str | None


def group_figures(domains: Sequence[RankedUsers], settings: EvaluateConfig) -> ServedGroup:
    """The figures of all these users together; a system counts where it is fitted.

    Args:
        domains: of each its users and their ranks.
        settings: rounds and seed of the bootstrap.
    """
    there = [one for one in domains if one.users]
    names = list(dict.fromkeys(name for one in there for name in one.tests))
    figures = _Figures(settings)
    return ServedGroup(
        users=sum(len(one.users) for one in domains),
        train_users=sum(len(one.train_users) for one in domains),
        systems={name: figures.system([one for one in there if name in one.tests], name) for name in names},
        bins={likes: figures.bins(there, names, likes) for likes in LIKES_BINS},
        differences=tuple(figures.differences(there)),
    )


def likes_bin(likes: int) -> LikesBin:
    """The bin of a target that so many train users liked."""
    return next(name for name in reversed(LIKES_BINS) if likes >= _FIRST[name])


class _Figures:
    """Means with intervals; the draws of the same users are made once, and the last ones are kept."""

    def __init__(self, settings: EvaluateConfig) -> None:
        self._settings = settings
        self._made: dict[tuple[str, ...], UserBootstrap] = {}

    def system(self, domains: Sequence[RankedUsers], name: str) -> ServedSystem:
        """One system on all test users of domains where it is fitted."""
        users = [user for one in domains for user in one.users]
        ranks = np.concatenate([one.tests[name].ranks for one in domains])
        own = np.concatenate([one.tests[name].own for one in domains])
        areas = np.concatenate([one.tests[name].areas for one in domains])
        known = ~np.isnan(areas)
        trains = [user for one in domains for user in one.train_users]
        learnt = np.concatenate([ndcg_at(one.trains[name], LISTED) for one in domains])
        return ServedSystem(
            **dict(self.rank(users, ranks)),
            precision_at_10=self._mean(users, hit_at(ranks, LISTED) / LISTED),
            hit_at_1=self._mean(users, hit_at(own, 1)),
            auc=self._mean(list(compress(users, known)), areas[known]) if known.any() else None,
            train_ndcg_at_10=self._mean(trains, learnt) if trains else None,
            gap=self._gap(trains, learnt, users, ndcg_at(ranks, LISTED)) if trains else None,
        )

    def rank(self, users: Sequence[str], ranks: NDArray[np.int64]) -> ServedRank:
        """The figures of these ranks; at least one."""
        return ServedRank(
            users=len(users),
            hit_at_10=self._mean(users, hit_at(ranks, LISTED)),
            ndcg_at_10=self._mean(users, ndcg_at(ranks, LISTED)),
        )

    def bins(
        self, domains: Sequence[RankedUsers], names: Sequence[str], likes: LikesBin
    ) -> dict[str, ServedRank]:
        """By system, the users whose target has so many likes."""
        found = {}
        for name in names:
            users: list[str] = []
            ranks: list[int] = []
            for one in domains:
                for at, count in enumerate(one.likes):
                    if name in one.tests and likes_bin(int(count)) == likes:
                        users.append(one.users[at])
                        ranks.append(int(one.tests[name].ranks[at]))
            if users:
                found[name] = self.rank(users, np.array(ranks, np.int64))
        return found

    def differences(self, domains: Sequence[RankedUsers]) -> Iterator[ServedDifference]:
        """What is served beside the ranker that was best alone, and beside `AGAINST`."""
        best = [(one, one.best_alone) for one in domains if one.best_alone in one.tests]
        wanted = [(BEST_ALONE, best)]
        wanted += [(name, [(one, name) for one in domains if name in one.tests]) for name in AGAINST]
        for against, pairs in wanted:
            if not pairs:
                continue
            users = [user for one, _ in pairs for user in one.users]
            gains = [
                ndcg_at(one.tests[SERVED].ranks, LISTED) - ndcg_at(one.tests[str(name)].ranks, LISTED)
                for one, name in pairs
            ]
            yield ServedDifference(
                against=against, users=len(users), ndcg_at_10=self._mean(users, np.concatenate(gains))
            )

    def _mean(self, users: Sequence[str], values: Values) -> MeanInterval:
        drawn = self._drawn(users)
        low, high = drawn.interval(values) if drawn.users >= _FEWEST else (None, None)
        return MeanInterval(mean=float(values.mean()), low=low, high=high)

    def _gap(
        self, trains: Sequence[str], learnt: Values, tests: Sequence[str], found: Values
    ) -> MeanInterval:
        """The difference of two means of different users, each drawn by itself."""
        one, other = self._drawn(trains), self._drawn(tests)
        low, high = None, None
        if min(one.users, other.users) >= _FEWEST:
            low, high = percentiles(one.means(learnt) - other.means(found))
        return MeanInterval(mean=float(learnt.mean() - found.mean()), low=low, high=high)

    def _drawn(self, users: Sequence[str]) -> UserBootstrap:
        """The draws of these users; the seed follows from the users, so that two sets are independent."""
        key = tuple(users)
        if key not in self._made:
            while len(self._made) >= _KEPT:
                self._made.pop(next(iter(self._made)))
            seed = seed_of("served", self._settings.seed, key)
            self._made[key] = UserBootstrap(users, self._settings.bootstrap, seed)
        return self._made[key]
