"""Tuning the parameters of a ranker on holdouts, and what fitting will cost there."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rectune.core.figures.fit import HISTORY_LENGTHS, HistoryLength
from rectune.core.progress import say
from rectune.core.stats.metrics import ndcg_at
from rectune.core.types import content_id
from rectune.rankers.base import Ranker, Scores, fit_ranker, ranker_class
from rectune.rankers.choose_weights import FEWEST, best_parameters
from rectune.rankers.domain_data import DomainData
from rectune.rankers.fit_cache import FitCache, FittedData
from rectune.rankers.holdout import HeldOutUser, Holdout, shortened, target_ranks
from rectune.rankers.side_features import stated_attributes


class Fold:
    """A holdout: data to fit on, and its users by the length of their histories."""

    def __init__(self, data: DomainData, holdout: Holdout, seed: int) -> None:
        self.fitted = FittedData(data.with_likes(holdout.likes))
        every, place = holdout.users, data.place
        self.users: dict[HistoryLength, list[HeldOutUser]] = {
            "0": [replace(user, history=()) for user in every],
            "1-4": [shortened(user, seed) for user in every],
            "5+": [user for user in every if length_of(user.history, place) == "5+"],
        }
        seen = {"0": every, "1-4": every, "5+": self.users["5+"]}
        self.absent = {n: [[place[i] for i in user.history] for user in seen[n]] for n in HISTORY_LENGTHS}
        self.targets = {n: [place[user.target] for user in self.users[n]] for n in HISTORY_LENGTHS}
        stated = [user.attributes for user in every]
        parts = [[(user.history, user.target) for user in every], *([stated] if any(stated) else [])]
        self.identity = content_id("fold", *parts)

    def scores(self, ranker: Ranker, length: HistoryLength) -> Scores:
        """[users, items] for the users of this length."""
        users = self.users[length]
        stated = [stated_attributes(user.attributes) for user in users]
        return ranker.score_users([user.history for user in users], stated)

    @property
    def tuned_on(self) -> HistoryLength:
        """The users that parameters are tuned on: with long histories, if there are any."""
        return "5+" if self.users["5+"] else "1-4"

    def ranks(self, ranker: Ranker) -> NDArray[np.int64]:
        """The ranks of the targets of the users that parameters are tuned on."""
        length = self.tuned_on
        return target_ranks(self.scores(ranker, length), self.targets[length], self.absent[length])


def tuned_parameters(name: str, folds: Sequence[Fold], cache: FitCache) -> Mapping[str, Any]:
    """The parameters of a ranker's grid under which it does best by itself; of too few users, the first."""
    grid = ranker_class(name).grid
    if len(grid) < 2 or sum(len(fold.users[fold.tuned_on]) for fold in folds) < FEWEST:
        return grid[0]
    tried = []
    for parameters in grid:
        makers = [(fold, partial(_ranks, name, parameters, fold, cache)) for fold in folds]
        ranks = [cache.ranks(name, parameters, fold.fitted, fold.identity, make) for fold, make in makers]
        tried.append(ndcg_at(np.concatenate(ranks), 10))
    return grid[best_parameters(tried)]


def _ranks(name: str, parameters: Mapping[str, Any], fold: Fold, cache: FitCache) -> NDArray[np.int64]:
    """The ranks of a fold's targets by a ranker that is fitted on it."""
    return fold.ranks(fitted_on_fold(name, parameters, fold, cache))


def fitted_on_fold(name: str, parameters: Mapping[str, Any], fold: Fold, cache: FitCache) -> Ranker:
    """A ranker that is fitted on a fold; only one whose fitting takes minutes is kept."""
    if ranker_class(name).costly:
        return cache.ranker(name, parameters, fold.fitted)
    return fit_ranker(name, fold.fitted.data, parameters)


def say_costs(names: Sequence[str], folds: Sequence[Fold], data: DomainData, cache: FitCache) -> None:
    """Say what the rankers will cost whose fitting takes minutes, before it is paid."""
    whole = FittedData(data)
    for name in names:
        grid = ranker_class(name).grid
        if not ranker_class(name).costly:
            continue
        ahead = [(one, fold.fitted) for one in grid for fold in folds] + [(grid[0], whole)]
        if count := sum(not cache.holds(name, one, fitted) for one, fitted in ahead):
            cost = ranker_class(name)(**grid[0]).fit_cost(data)
            say(f"  {name}: {count} fits ahead, on holdouts and on all likes; {cost}")


def length_of(history: Sequence[str], there: Collection[str]) -> HistoryLength:
    """The length that counts: of the items that the catalogue (`there`) has, each once."""
    known = sum(item in there for item in set(history))
    return "0" if not known else "1-4" if known < 5 else "5+"
