"""Protocol `served`: the lists that the recommender really gives to test users, beside every fitted ranker.

The recommender is the one that services call, with what the stage `fit` chose and the stage `rerank` found to
help; it ranks the whole catalogue for all that a user is known to like but the target. Nothing is chosen on
these users.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from rectune.core.artifacts import generation_cache_path, write_atomically
from rectune.core.extras import is_installed
from rectune.core.figures.fit import DomainChoice
from rectune.core.figures.served import SERVED, ServedChoice, ServedDomain, ServedLists, ServedMetrics
from rectune.core.progress import progress, say
from rectune.core.settings import EvaluateConfig
from rectune.core.settings.serving import CHOSEN
from rectune.core.stats.lists import cosine_distance, gini, jaccard_distance, novelty
from rectune.evaluation.served_figures import RankedUsers, group_figures
from rectune.evaluation.served_ranks import scored_ranks, served_ranks
from rectune.evaluation.served_users import served_users, train_users
from rectune.evaluation.systems import EvalContext
from rectune.rankers.base import Ranker
from rectune.rankers.chosen import ChosenRanker
from rectune.rankers.eval_cases import EvalCase, by_domain
from rectune.rankers.stage import choice_folder
from rectune.recommender.answering import CatalogueAnswers
from rectune.recommender.generative import GenerativeRecommender
from rectune.recommender.model_ranking import measured_model_ranking
from rectune.retrieval.grounding import Grounding
from rectune.retrieval.index import open_index

_PROTOCOL = (
    "what the recommender serves for all that a test user is known to like but the next item: its rank "
    "among all items of the domain that the user never met; ties count against the system"
)
_NOTHING = ServedMetrics(protocol=_PROTOCOL, candidates=0, overall=None, validation={}, domains={})


def measure_served(tests: Sequence[EvalCase], eval_context: EvalContext, out: Path) -> ServedMetrics:
    """Measure what `evaluate.served` test users of each domain are served; writes served.json.

    Nothing is measured, and that is written, where no users are wanted or the stage `fit` was not run.
    """
    found = _measured(tests, eval_context)
    write_atomically(out / ServedMetrics.file, found.to_json())
    return found


def _measured(tests: Sequence[EvalCase], eval_context: EvalContext) -> ServedMetrics:
    settings = eval_context.config.evaluate
    groups = by_domain(tests) if settings.served else {}
    found: dict[str, ServedDomain] = {}
    ranked: list[RankedUsers] = []
    choices: list[DomainChoice] = []
    with progress("asking the recommender", 0, "users") as advance:
        for domain, group in groups.items():
            if (chosen := eval_context.fitted(domain)) is None:
                continue
            one = _Domain(domain, group, chosen, eval_context)
            ranks, lists = one.ranked(advance)
            ranked.append(ranks)
            choices.append(chosen.choice)
            found[domain] = one.figures(ranks, lists)
    if not found:
        return _NOTHING
    return ServedMetrics(
        protocol=_PROTOCOL,
        candidates=max(len(test.case.candidates) for test in tests),
        overall=group_figures(ranked, settings),
        validation=validated_alone(choices),
        domains=found,
    )


class _Domain:
    """One domain's users, recommender and rankers."""

    def __init__(
        self, domain: str, tests: Sequence[EvalCase], chosen: ChosenRanker, eval_context: EvalContext
    ) -> None:
        self._domain, self._chosen, self._context = domain, chosen, eval_context
        self._settings: EvaluateConfig = eval_context.config.evaluate
        data, most, seed = eval_context.inputs["data"], self._settings.served, self._settings.seed
        every = served_users(data, [test.case for test in tests], most, seed)
        self._tests = [user for user in every if user.history]
        self._without_history = len(every) - len(self._tests)
        if self._without_history:
            say(f"{domain}: nothing else is known of {self._without_history} test users, who are not served")
        least = min((len(user.history) for user in self._tests), default=0) + 1
        likes, wanted = eval_context.likes(domain), len(self._tests)
        self._trains = train_users(data, domain, likes, wanted, least, seed) if wanted else []
        self._recommender = _recommender(domain, chosen, eval_context)

    def ranked(self, advance: Callable[[int], None]) -> tuple[RankedUsers, list[tuple[str, ...]]]:
        """The ranks by every system, and what each test user is served."""
        served = served_ranks(self._recommender, self._tests, advance)
        trains = served_ranks(self._recommender, self._trains, advance).ranks.ranks
        alone: dict[str, Ranker] = {CHOSEN: self._chosen, **self._chosen.rankers}
        likes = self._context.likes(self._domain)
        ranked = RankedUsers(
            users=[user.name for user in self._tests],
            train_users=[user.name for user in self._trains],
            likes=np.array([likes.counts[likes.place[user.target]] for user in self._tests], np.int64),
            tests={SERVED: served.ranks}
            | {name: scored_ranks(ranker, self._tests, advance) for name, ranker in alone.items()},
            trains={SERVED: trains}
            | {name: scored_ranks(ranker, self._trains, advance).ranks for name, ranker in alone.items()},
            best_alone=best_alone(self._chosen.choice),
        )
        return ranked, served.lists

    def figures(self, ranked: RankedUsers, lists: Sequence[Sequence[str]]) -> ServedDomain:
        """All figures of the domain."""
        return ServedDomain(
            **dict(group_figures([ranked], self._settings)),
            items=len(self._recommender.items),
            without_history=self._without_history,
            choice=_choice_of(self._chosen.choice),
            lists=self._lists(lists),
        )

    def _lists(self, lists: Sequence[Sequence[str]]) -> ServedLists:
        likes = self._context.likes(self._domain)
        counts = np.zeros(len(likes.item_ids), np.int64)
        places = [likes.place[item] for listed in lists for item in listed]
        np.add.at(counts, places, 1)
        shown = int(np.count_nonzero(counts))
        if by_vectors := is_installed("sentence_transformers"):
            self._context.domain_data(self._domain).embed(item for listed in lists for item in listed)
        distances = [one for listed in lists if (one := self._distance(listed, by_vectors)) is not None]
        return ServedLists(
            shown=shown,
            coverage=shown / len(counts),
            gini=gini(counts),
            distance=sum(distances) / len(distances) if distances else None,
            distance_by="vectors" if by_vectors else "categories",
            novelty=novelty(likes.counts[places], len(np.unique(likes.users))),
        )

    def _distance(self, listed: Sequence[str], by_vectors: bool) -> float | None:
        data = self._context.domain_data(self._domain)
        if by_vectors:
            return cosine_distance(data.vectors(listed))
        return jaccard_distance([data.items[item].categories for item in listed])


def _recommender(domain: str, chosen: ChosenRanker, eval_context: EvalContext) -> CatalogueAnswers:
    """The recommender of a domain as services call it: the choice, and what the model adds to it."""
    items, inputs = eval_context.catalogue.of(domain), eval_context.inputs
    if "rerank" not in inputs:
        return CatalogueAnswers(items, chosen)
    model = inputs["export"] / "model.gguf"
    beside = measured_model_ranking(inputs["rerank"], domain, items, model)
    if beside is None:
        return CatalogueAnswers(items, chosen)
    grounding = Grounding(items, open_index(choice_folder(inputs) / "index"))
    settings, written = eval_context.config.retrieval, generation_cache_path(inputs["rerank"])
    generative = GenerativeRecommender(model, grounding, settings, written, eval_context.generate)
    return CatalogueAnswers(items, chosen, generative, lambda: grounding, model_ranking=beside)


def best_alone(choice: DomainChoice) -> str | None:
    """The ranker with the highest NDCG@10 by itself on validation users with 5 and more likes, if any."""
    alone = _alone(choice)
    return max(alone, key=lambda name: alone[name]) if alone else None


def validated_alone(choices: Sequence[DomainChoice]) -> dict[str, float]:
    """NDCG@10 of each ranker alone on the validation users of several domains, the best first."""
    sums: dict[str, tuple[float, int]] = {}
    for choice in choices:
        users = choice.histories["5+"].cases
        for name, gain in _alone(choice).items():
            total, count = sums.get(name, (0.0, 0))
            sums[name] = total + gain * users, count + users
    means = {name: total / count for name, (total, count) in sums.items()}
    return dict(sorted(means.items(), key=lambda one: -one[1]))


def _alone(choice: DomainChoice) -> dict[str, float]:
    """NDCG@10 by ranker."""
    tried = choice.histories["5+"].tried
    return {next(iter(one.weights)): one.ndcg_at_10 for one in tried if len(one.weights) == 1}


def _choice_of(choice: DomainChoice) -> ServedChoice:
    own = choice.histories["5+"]
    return ServedChoice(
        chosen={length: one.chosen for length, one in choice.histories.items()},
        defaults=tuple(length for length, one in choice.histories.items() if not one.tried),
        cases=own.cases,
        ndcg_at_10=own.measured.ndcg_at_10 if own.measured else None,
        best_alone=best_alone(choice),
    )
