"""What the stages of A-LLMRec train on and compare on: the first of the holdouts that `fit` chose on.

Training once, without those users, gives rankers that can be compared on them and that can be served: what
goes out is what was measured. Training again on all likes would take as long as the first time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path

import numpy as np

from rectune.core.catalogue import Catalogue
from rectune.core.errors import UserError
from rectune.core.figures.allmrec import BesideChoice
from rectune.core.figures.fit import HISTORY_LENGTHS, DomainChoice, HistoryLength
from rectune.core.figures.read_records import read_figures
from rectune.core.recipe import Recipe
from rectune.core.types import Case
from rectune.rankers.base import Ranker, Scores
from rectune.rankers.choice import learning_among, validation_folds
from rectune.rankers.choose_weights import ScoredUsers, choose_beside
from rectune.rankers.chosen import ranker_names
from rectune.rankers.domain_data import DomainData, train_likes
from rectune.rankers.fit_cache import FitCache, FittedData
from rectune.rankers.stage import chosen_path
from rectune.rankers.tuning import Fold, fitted_on_fold


@dataclass(frozen=True)
class ValidatedDomain:
    """A domain's data as `fit` had it, and what it chose there.

    Attributes:
        data: all items, and the likes of all train users.
        names: the rankers that were fitted.
        choice: what was chosen among them.
        users: validation users in each of its holdouts together, if there are so many.
    """

    data: DomainData
    names: Sequence[str]
    choice: DomainChoice
    users: int

    @classmethod
    def of(
        cls,
        config: Recipe,
        inputs: Mapping[str, Path],
        catalogue: Catalogue,
        cases: Sequence[Case],
        domain: str,
    ) -> ValidatedDomain:
        """A domain of finished stages `data` and `fit`; `config` has the sections fit and retrieval."""
        likes = partial(train_likes, inputs["data"], cases, domain)
        data = DomainData(domain, catalogue.of(domain), likes, config.retrieval.embedder, config.fit.seed)
        folder = chosen_path(inputs["fit"], domain)
        return cls(data, ranker_names(folder), read_figures(DomainChoice, folder), config.fit.users)

    @cached_property
    def fold(self) -> Fold | None:
        """The first holdout; None where nobody can be held out."""
        return next(iter(validation_folds(self.data, len(self.names), self.users, self.data.seed)), None)

    @cached_property
    def train(self) -> FittedData:
        """What is trained on: without the users of the holdout."""
        return self.fold.fitted if self.fold else FittedData(self.data)

    def compared(
        self, new: Mapping[str, Ranker], most: int, cache: FitCache
    ) -> dict[HistoryLength, BesideChoice]:
        """What ranks for histories of each length: what was chosen, or something new.

        Args:
            new: rankers that were trained on `train`.
            most: users of the holdout who are asked for, at most.
            cache: has what `fit` fitted on the holdout.
        """
        return {length: self._of_length(length, new, most, cache) for length in HISTORY_LENGTHS}

    def _of_length(
        self, length: HistoryLength, new: Mapping[str, Ranker], most: int, cache: FitCache
    ) -> BesideChoice:
        before, fold = self.choice.histories[length].chosen, self.fold
        if fold is None or not most or not new:
            return BesideChoice(
                chosen=before, before=before, cases=0, tried=(), difference=None, interval=None
            )
        parameters = self.choice.parameters
        rankers = {
            name: fitted_on_fold(name, parameters.get(name, {}), fold, cache) for name in before.weights
        } | dict(new)
        histories = [user.history for user in fold.users[length][:most]]
        users = ScoredUsers(
            {name: scores_of(ranker, histories) for name, ranker in rankers.items()},
            fold.targets[length][:most],
            fold.absent[length][:most],
            self.data.likes.counts,
            learning_among(rankers),
        )
        return choose_beside(users, before, list(new))


def scores_of(ranker: Ranker, histories: Sequence[tuple[str, ...]]) -> Scores:
    """[n, items] the scores of the catalogue for each history; equal ones are read once."""
    places = {history: at for at, history in enumerate(dict.fromkeys(histories))}
    if not places:
        return np.zeros((0, len(ranker.item_ids)))
    rows: Scores = ranker.score_all(list(places))[[places[history] for history in histories]]
    return rows


def wanted_domains(config: Recipe, catalogue: Catalogue) -> list[str]:
    """The domains that A-LLMRec is trained for.

    Raises:
        UserError: one of those that are named is not there.
    """
    named = config.allmrec.domains
    if unknown := [domain for domain in named if domain not in catalogue.domains]:
        raise UserError(
            f"there is no domain {', '.join(unknown)}",
            where="allmrec.domains",
            hint=f"domains of the data: {', '.join(catalogue.domains)}",
        )
    return [domain for domain in catalogue.domains if not named or domain in named]
