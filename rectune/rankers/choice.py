"""Tuning the rankers of a domain on held-out users, and choosing what ranks for whom."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Protocol, cast

import numpy as np
from numpy.typing import NDArray

from rectune.core.errors import UserError
from rectune.core.extras import is_installed
from rectune.core.figures.fit import (
    HISTORY_LENGTHS,
    DomainChoice,
    HistoryLength,
    QueryChoice,
    RankerChoice,
    RankerWeights,
)
from rectune.core.progress import muted, say
from rectune.core.settings import FitConfig
from rectune.core.settings.ranking import NETWORKS
from rectune.core.stats.metrics import ndcg_at
from rectune.rankers.base import Attributes, Ranker, Scores, ranker_class
from rectune.rankers.choose_weights import ScoredUsers, best_parameters, choose_weights
from rectune.rankers.domain_data import DomainData
from rectune.rankers.fit_cache import FitCache, FittedData
from rectune.rankers.holdout import as_many_as_fit, holdouts
from rectune.rankers.tuning import Fold, fitted_on_fold, length_of, say_costs, tuned_parameters
from rectune.rankers.weighting import standardised_rows, weighted

_WITH_LLM = ("embedding_mean", "embedding_best", "hybrid", "hybrid_knn", *NETWORKS)
_OF_WORDS = ("bm25", "embedding_best", "hybrid")  # those that score texts
_HISTORY_WEIGHTS = (0.0, 0.1, 0.2, 0.3, 0.5)

INDEX = "index"  # the name under which the search in the catalogue's index is weighed
TextScores = Callable[[Sequence[str]], Scores]


class TextScorer(Protocol):
    """A ranker that scores texts too: those of `_OF_WORDS`."""

    def score_texts(self, texts: Sequence[str]) -> Scores:
        """[len(texts), items] how well each item fits words that say what is wanted."""
        ...


@dataclass(frozen=True)
class AskedUser:
    """A user in no test who asked in words: what was liked before, the words, and what was really taken."""

    history: tuple[str, ...]
    query: str
    target: str


@dataclass(frozen=True)
class ChoiceOptions:
    """How rankers are chosen.

    Attributes:
        rankers: the names of those that are fitted.
        users: held-out users, if there are so many.
        seed: of their choice.
        asked: users with queries.
        search: scores of the catalogue by its index, where there is one.
        cache: of earlier runs.
        warm_start: whether training on all likes starts from an earlier run's, see `FitCache.final_ranker`.
    """

    rankers: Sequence[str] = tuple(FitConfig().rankers)
    users: int = FitConfig().users
    seed: int = FitConfig().seed
    asked: Sequence[AskedUser] = ()
    search: TextScores | None = None
    cache: FitCache = field(default_factory=FitCache)
    warm_start: bool = FitConfig().warm_start


@dataclass(frozen=True)
class Chosen:
    """What was chosen, and the rankers, fitted on all likes."""

    choice: DomainChoice
    rankers: Mapping[str, Ranker]


def choose(data: DomainData, options: ChoiceOptions) -> Chosen:
    """What ranks in a domain: what does best on users who were held out of the fitting.

    Each ranker is tuned over its `grid`, alone; then weights are chosen for histories of each length
    (`choose_weights`), and for queries. In the end every ranker is fitted on all likes. Without likes the
    hybrid of words and embedding ranks, which did best on foreign catalogues (docs/experiments.md).
    """
    names = _able(options.rankers, data)
    folds = validation_folds(data, len(names), options.users, options.seed)
    say_costs(names, folds, data, options.cache)
    with muted():
        tuned: dict[str, Mapping[str, Any]] = {
            name: tuned_parameters(name, folds, options.cache) for name in names
        }
        histories = _histories(names, folds, tuned, data, options.cache)
    whole = FittedData(data)
    final = partial(options.cache.final_ranker, data=whole, warm_start=options.warm_start)
    known = len(options.cache.warm_started)
    rankers = {name: final(name, tuned[name]) for name in names}
    choice = DomainChoice(
        domain=data.domain,
        items=len(data.items),
        likes=len(data.likes.users),
        users=len(np.unique(data.likes.users)),
        timed=data.likes.times is not None,
        parameters={name: dict(parameters) for name, parameters in tuned.items() if parameters},
        warm_started=tuple(options.cache.warm_started[known:]),
        histories=histories,
        queries=_default_queries(names, options.search),
    )
    if options.asked:
        choice = choice.model_copy(update={"queries": _queries(choice, rankers, data, options)})
    return Chosen(choice, rankers)


def validation_folds(data: DomainData, rankers: int, users: int, seed: int) -> list[Fold]:
    """The holdouts that so many rankers are chosen on; the same for the same arguments."""
    wanted = as_many_as_fit(users, rankers * len(data.items))
    return [Fold(data, one, seed) for one in holdouts(data.likes, wanted, seed)]


def history_scores(
    histories: Mapping[HistoryLength, RankerChoice],
    rankers: Mapping[str, Ranker],
    likes: NDArray[np.int64],
    given: Sequence[Sequence[str]],
    attributes: Sequence[Attributes] | None = None,
) -> Scores:
    """[len(given), items] the scores by what was chosen for the length of each history.

    Args:
        histories: what was chosen.
        rankers: fitted, by name.
        likes: [items] how many train users liked each item.
        given: histories of item ids.
        attributes: what each user states beside; nothing without it.
    """
    stated = [{}] * len(given) if attributes is None else attributes
    there, learning = next(iter(rankers.values())).place, learning_among(rankers)
    found = np.zeros((len(given), len(there)))
    lengths = [length_of(history, there) for history in given]
    for length in dict.fromkeys(lengths):
        places = [at for at, one in enumerate(lengths) if one == length]
        some, chosen = [given[at] for at in places], histories[length].chosen
        beside = [stated[at] for at in places]
        scores = {name: rankers[name].score_users(some, beside) for name in chosen.weights}
        found[places] = weighted(scores, chosen, learning, likes)
    return found


def learning_among(rankers: Mapping[str, Ranker]) -> frozenset[str]:
    """The names of those that learn from likes."""
    return frozenset(name for name, ranker in rankers.items() if ranker.learns_from_likes)


def text_scores(
    name: str, rankers: Mapping[str, Ranker], search: TextScores | None, texts: Sequence[str]
) -> Scores:
    """[len(texts), items] the scores of one ranker, or of the index, for words that say what is wanted.

    Raises:
        UserError: the index is asked for and is not there.
    """
    if name != INDEX:
        return cast(TextScorer, rankers[name]).score_texts(texts)
    if search is None:
        raise UserError(
            "queries need the index of the catalogue", hint="make the recommender from a catalogue"
        )
    return search(texts)


def _able(names: Sequence[str], data: DomainData) -> list[str]:
    """The rankers that can be fitted here: with the installed packages, and on the likes that there are."""
    found = list(names)
    if not is_installed("sentence_transformers") and (lacking := [n for n in found if n in _WITH_LLM]):
        say(f"without the extra llm these rankers are left out: {', '.join(lacking)}")
        found = [name for name in found if name not in lacking]
    if not len(data.likes.users):
        found = [name for name in found if not ranker_class(name).learns_from_likes] or found
    if not any(not ranker_class(name).learns_from_likes for name in found):
        say("bm25 is fitted as well: of what nobody liked, only words are known")
        found.append("bm25")
    return found


def _histories(
    names: Sequence[str],
    folds: Sequence[Fold],
    tuned: Mapping[str, Mapping[str, Any]],
    data: DomainData,
    cache: FitCache,
) -> dict[HistoryLength, RankerChoice]:
    """What ranks for histories of each length."""
    learning = [name for name in names if ranker_class(name).learns_from_likes]
    scores: dict[HistoryLength, dict[str, list[Scores]]] = {
        n: {name: [] for name in names} for n in HISTORY_LENGTHS
    }
    for name in names:
        for fold in folds:
            ranker = fitted_on_fold(name, tuned[name], fold, cache)
            for length in HISTORY_LENGTHS:
                scores[length][name].append(fold.scores(ranker, length))
    found: dict[HistoryLength, RankerChoice] = {}
    for length in HISTORY_LENGTHS:
        users = ScoredUsers(
            {name: np.concatenate(some) for name, some in scores.pop(length).items() if some},
            [target for fold in folds for target in fold.targets[length]],
            [absent for fold in folds for absent in fold.absent[length]],
            data.likes.counts,
            learning,
        )
        found[length] = choose_weights(users, _default(names, length))
    return found


def _default(names: Sequence[str], length: HistoryLength) -> RankerWeights:
    """What ranks where nothing could be chosen."""
    order = ("popularity",) if length == "0" else ("hybrid", "bm25")
    name = next((name for name in order if name in names), names[0])
    return RankerWeights(weights={name: 1.0}, half_likes=0.0)


def _default_queries(names: Sequence[str], search: TextScores | None) -> QueryChoice:
    name = INDEX if search else next((n for n in ("hybrid", "bm25") if n in names), "bm25")
    weights = RankerWeights(weights={name: 1.0}, half_likes=0.0)
    return QueryChoice(chosen=weights, history_weight=0.0, cases=0, tried=())


def _queries(
    choice: DomainChoice, rankers: Mapping[str, Ranker], data: DomainData, options: ChoiceOptions
) -> QueryChoice:
    """What ranks for words, and how much the history counts beside them."""
    asked, likes, default, place = options.asked, data.likes.counts, choice.queries, data.place
    names = [name for name in _OF_WORDS if name in rankers] + ([INDEX] if options.search else [])
    texts = [one.query for one in asked]
    scores = {name: text_scores(name, rankers, options.search, texts) for name in names}
    absent = [[place[item] for item in one.history if item in place] for one in asked]
    users = ScoredUsers(scores, [place[one.target] for one in asked], absent, likes, ())
    found = choose_weights(users, default.chosen)
    by_words = standardised_rows(weighted(scores, found.chosen, (), likes))
    past = history_scores(choice.histories, rankers, likes, [one.history for one in asked])
    by_history = standardised_rows(past)
    unknown = [length_of(one.history, place) == "0" for one in asked]
    by_history[unknown] = by_words[unknown]  # as they are served
    gains = [
        ndcg_at(users.ranks(weight * by_history + (1 - weight) * by_words), 10) for weight in _HISTORY_WEIGHTS
    ]
    weight = _HISTORY_WEIGHTS[best_parameters(gains)] if found.tried else default.history_weight
    return QueryChoice(chosen=found.chosen, history_weight=weight, cases=found.cases, tried=found.tried)
