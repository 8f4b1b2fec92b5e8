"""The stage `rerank`: how much the aligned model counts beside the ranker that was chosen."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rectune.core.artifacts import generation_cache_path
from rectune.core.catalogue import Catalogue, load_catalogue
from rectune.core.extras import needs_extra
from rectune.core.figures.rerank import DomainRerank, MeasuredWeight, RerankFigures
from rectune.core.progress import progress
from rectune.core.recipe import Recipe
from rectune.core.rng import generator_of
from rectune.core.rows import read_rows
from rectune.core.stats.metrics import ndcg_at
from rectune.core.types import Candidate, Case, Item, Prompt
from rectune.inference.llamacpp import LlamaEngine
from rectune.rankers.base import Scores
from rectune.rankers.best import best_allowed
from rectune.rankers.chosen import ChosenRanker
from rectune.rankers.holdout import target_ranks
from rectune.rankers.likelihood import Scorer
from rectune.rankers.rerank import (
    PRIOR,
    STEPS,
    ScoreTitles,
    fused_scores,
    measured_weight,
    title_scores,
)
from rectune.rankers.stage import choice_folder, chosen_path
from rectune.rankers.weighting import standardised_rows
from rectune.recommender.generative import GenerativeRecommender
from rectune.recommender.requests import UserRequest, from_words
from rectune.retrieval.grounding import Grounding
from rectune.retrieval.index import open_index
from rectune.retrieval.index_scores import index_scores

_DRAFT_STEPS = (0.1, 0.2, 0.3, 0.5)  # weights of the search for a draft that are tried


@needs_extra("the stage rerank")
def run(config: Recipe, inputs: Mapping[str, Path], out: Path) -> RerankFigures:
    """Measure the aligned model on users of the preference split whom it was not aligned on.

    Args:
        config: sections rerank and retrieval.
        inputs: data, queries, fit, candidates, export; allmrec_llm where it is switched on.
    """
    model = inputs["export"] / "model.gguf"
    measure = _Measure(
        config,
        load_catalogue(inputs["data"] / "items.parquet"),
        lambda: LlamaEngine(model, config.rerank),
        lambda items: GenerativeRecommender(
            model,
            Grounding(items, open_index(choice_folder(inputs) / "index")),
            config.retrieval,
            generation_cache_path(out),
        ),
    )
    cases = fresh_cases(
        read_rows(inputs["data"] / "cases.parquet", Case),
        read_rows(inputs["queries"] / "prompts.parquet", Prompt),
        {row.prompt_id for row in read_rows(inputs["candidates"] / "candidates.parquet", Candidate)},
    )
    found = {}
    for domain in measure.catalogue.domains:
        some = drawn(cases.get(domain, []), config.rerank.cases, config.rerank.seed)
        chosen = ChosenRanker.load(chosen_path(choice_folder(inputs), domain)) if some else None
        found[domain] = measure.domain(chosen, some) if chosen else _NOT_MEASURED
    return RerankFigures(candidates=config.rerank.candidates, prior=PRIOR, domains=found)


_NOT_MEASURED = DomainRerank(cases=0, ndcg_at_10=None, likelihood=None, draft=None)


def fresh_cases(
    cases: Sequence[Case], prompts: Sequence[Prompt], answered: frozenset[str] | set[str]
) -> dict[str, list[Case]]:
    """By domain the cases of the preference split whose user has no prompt among those answered."""
    used = {(prompt.domain, prompt.user) for prompt in prompts if prompt.id in answered}
    found: dict[str, list[Case]] = {}
    for case in cases:
        own = case.split == "preference" and case.history_domain == case.domain
        if own and (case.domain, case.user) not in used:
            found.setdefault(case.domain, []).append(case)
    return found


def drawn(cases: Sequence[Case], count: int, seed: int) -> list[Case]:
    """At most so many of the cases, in a seeded order."""
    order = generator_of("rerank", seed).permutation(len(cases))
    return [cases[at] for at in order[:count]]


@dataclass(frozen=True)
class RankedCases:
    """Validation users as the chosen ranker alone ranks for them.

    Attributes:
        chosen: the ranker.
        histories: n lists of item ids.
        targets: [n] places of what was really taken.
        absent: [n] places of the histories.
        scores: [n, items].
    """

    chosen: ChosenRanker
    histories: Sequence[Sequence[str]]
    targets: Sequence[int]
    absent: Sequence[Sequence[int]]
    scores: Scores

    @classmethod
    def of(cls, chosen: ChosenRanker, cases: Sequence[Case]) -> RankedCases:
        """The users of these cases."""
        histories = [case.history for case in cases]
        return cls(
            chosen,
            histories,
            [chosen.place[case.target] for case in cases],
            [chosen.places_of(history) for history in histories],
            chosen.score_all(histories),
        )

    @cached_property
    def ranks(self) -> NDArray[np.int64]:
        """[n] the ranks of the targets among the whole catalogue."""
        return target_ranks(self.scores, self.targets, self.absent)

    def first(self, count: int) -> list[NDArray[np.int64]]:
        """For each user the places of the first items, the best first."""
        found = []
        for row, left_out in zip(self.scores, self.absent, strict=True):
            allowed = self.chosen.allowed(None)
            allowed[list(left_out)] = False
            found.append(best_allowed(row, count, allowed))
        return found


def weight_of_likelihood(users: RankedCases, score: ScoreTitles, candidates: int) -> MeasuredWeight:
    """How much the likelihood of titles counts, where it re-orders the first `candidates` items."""
    heads = users.first(candidates)
    shown = [[users.chosen.item_ids[at] for at in head] for head in heads]
    titles, ranks = score(users.histories, shown), users.ranks
    table = [ranks]
    for weight in STEPS:
        again = ranks.copy()
        for at, (head, target) in enumerate(zip(heads, users.targets, strict=True)):
            if (where := np.flatnonzero(head == target)).size:
                fused = fused_scores(users.scores[at, head], titles[at], weight)
                again[at] = np.count_nonzero(fused >= fused[where[0]])
        table.append(again)
    return measured_weight(table, (0.0, *STEPS))


def weight_of_drafts(users: RankedCases, searched: Scores) -> MeasuredWeight:
    """How much [n, items] scores of searches for the model's drafts count beside those of the ranker."""
    base, found = standardised_rows(users.scores), standardised_rows(searched)
    fused = (weight * found + (1 - weight) * base for weight in _DRAFT_STEPS)
    table = [users.ranks, *(target_ranks(scores, users.targets, users.absent) for scores in fused)]
    return measured_weight(table, (0.0, *_DRAFT_STEPS))


@dataclass(frozen=True)
class _Measure:
    config: Recipe
    catalogue: Catalogue
    open_engine: Callable[[], AbstractContextManager[Scorer]]
    generative: Callable[[Sequence[Item]], GenerativeRecommender]

    def domain(self, chosen: ChosenRanker, cases: Sequence[Case]) -> DomainRerank:
        """How much the model counts in one domain."""
        users, settings, domain = RankedCases.of(chosen, cases), self.config.rerank, chosen.choice.domain
        with (
            self.open_engine() as engine,
            progress(f"re-ranking: {domain}", len(cases), "users") as advance,
        ):
            score = title_scores(lambda: nullcontext(engine), self.catalogue.of(domain), advance)
            likelihood = weight_of_likelihood(users, score, settings.candidates)
        return DomainRerank(
            cases=len(cases),
            ndcg_at_10=float(ndcg_at(users.ranks, 10).mean()),
            likelihood=likelihood,
            draft=weight_of_drafts(users, self._searched(chosen, cases)) if settings.drafts else None,
        )

    def _searched(self, chosen: ChosenRanker, cases: Sequence[Case]) -> Scores:
        """[cases, items] the search in the index for what the model writes to each history."""
        items = self.catalogue.of(chosen.choice.domain)
        generative = self.generative(items)
        titles = (self.catalogue.titles(case.domain, case.history) for case in cases)
        grounding = generative.grounding
        drafts = generative.drafts([from_words(items, UserRequest(some), grounding) for some in titles])
        return index_scores(grounding.index, chosen.choice.domain, chosen.place, drafts)
