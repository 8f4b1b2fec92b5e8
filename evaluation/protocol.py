"""The protocol: one item that a test user really took next, among the candidates of their case.

All systems rank the same candidates of the same cases. The language models read the case's passive direct
prompt.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import Any

import numpy as np

from evaluation import metrics
from recommenders.base import Scores
from recommenders.cases import TestCase
from rectune.settings import Evaluate
from rectune.types import Ranking, grouped


def ranked(case: TestCase, system: str, scores: Scores) -> Ranking:
    """The candidates of a case in the order of their scores; among equals the target comes last."""
    items = case.case.candidates
    plain = [float(score) for score in np.where(np.isnan(scores), -np.inf, scores)]
    order = sorted(range(len(items)), key=lambda at: (-plain[at], items[at] == case.case.target))
    return Ranking(
        case.prompt.id,
        system,
        tuple(items[at] for at in order),
        tuple(plain[at] for at in order),
        ("candidate",) * len(items),
    )


def summarise(cases: Sequence[TestCase], rankings: Sequence[Ranking], config: Evaluate) -> dict[str, Any]:
    """Every figure of the evaluation, as metrics.json holds it.

    `candidates`, `chance`, and under `systems` by name `n`, `hit@1` with its `interval`, `hit@5`, `hit@10`,
    `mrr`, `ndcg@10`, the intervals of the last two, and the same figures by domain and category under `domains`.
    """
    found = {(ranking.system, ranking.prompt_id): ranking for ranking in rankings}
    candidates = [len(test.case.candidates) for test in cases]
    rounds = f"bootstrap over users, {config.bootstrap} rounds"
    systems: dict[str, Any] = {}
    for system in config.systems:
        ranks = {test.prompt.id: _rank(test, found[system, test.prompt.id]) for test in cases}
        groups = grouped(cases, lambda test: (test.case.domain, test.case.category))
        domains = {name: _figures(group, ranks, config) for name, group in groups.items()}
        systems[system] = {**_figures(cases, ranks, config), "domains": domains}
    return {
        "protocol": "one target among the case's candidates; ties count against the system",
        "intervals": f"95 %: Wilson for hit@1; {rounds} for mrr and ndcg@10",
        "cases": len(cases),
        "candidates": max(candidates),
        "chance": fmean(1 / count for count in candidates),
        "systems": systems,
    }


def _rank(test: TestCase, ranking: Ranking) -> int:
    return metrics.target_rank(ranking.items, ranking.scores, test.case.target)


def _figures(cases: Sequence[TestCase], ranks: Mapping[str, int], config: Evaluate) -> dict[str, Any]:
    """One system over some cases; `ranks` by prompt id."""
    own = [ranks[test.prompt.id] for test in cases]
    users = [f"{test.case.domain}/{test.case.user}" for test in cases]
    reciprocal, gains = metrics.reciprocal_ranks(own), metrics.ndcg_at(own, 10)
    return {
        "n": len(own),
        "hit@1": metrics.hit_at(own, 1),
        "interval": metrics.wilson(sum(rank == 1 for rank in own), len(own)),
        "hit@5": metrics.hit_at(own, 5),
        "hit@10": metrics.hit_at(own, 10),
        "mrr": float(np.mean(reciprocal)),
        "mrr_interval": metrics.bootstrap(reciprocal, users, config.bootstrap, config.seed),
        "ndcg@10": float(np.mean(gains)),
        "ndcg@10_interval": metrics.bootstrap(gains, users, config.bootstrap, config.seed),
    }
