"""The protocol: one item that a test user really took next, among candidates; figures by system, group and
protocol.

All systems rank the same candidates of the same cases.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import Any

import numpy as np

from rectune.core.settings import EvaluateConfig
from rectune.core.stats.intervals import wilson
from rectune.core.stats.metrics import UserBootstrap, hit_at, ndcg_at, reciprocal_ranks, target_rank
from rectune.core.types import Ranking, grouped
from rectune.evaluation.ranking_tasks import FULL, OWN, RankingTask
from rectune.evaluation.significance import compare_all
from rectune.evaluation.user_groups import Groups
from rectune.rankers.base import Scores
from rectune.rankers.eval_cases import EvalCase

KEPT = 20  # items of a ranking of the whole catalogue that are written down

Ranks = dict[str, list[int]]  # prompt id -> the target's rank in each draw

_AMONG = {
    OWN: "the candidates of the data stage",
    "uniform": "others drawn uniformly",
    "popularity": "others drawn in proportion to how many train users liked them",
    FULL: "all items of the domain that the user never met",
}


def ranked(task: RankingTask, system: str, scores: Scores) -> Ranking:
    """The candidates of a trial in the order of their scores; among equals the target comes last."""
    items, target = task.candidates, task.test.case.target
    plain = np.where(np.isnan(scores), -np.inf, scores)
    is_target = np.array([item == target for item in items])
    order = np.lexsort((is_target, -plain))[: KEPT if task.protocol == FULL else None]
    return Ranking(
        task.test.prompt.id,
        system,
        tuple(items[at] for at in order),
        tuple(float(plain[at]) for at in order),
        ("candidate",) * len(order),
        task.protocol,
        task.draw,
        task.user,
        target_rank(items, [float(score) for score in plain], target),
        len(items),
    )


def summarise(
    cases: Sequence[EvalCase],
    rankings: Sequence[Ranking],
    config: EvaluateConfig,
    groups: Groups | None = None,
) -> dict[str, Any]:
    """Every figure of the evaluation, as metrics.json holds it.

    For the cases' own candidates `candidates`, `chance`, and under `systems` by name what `figures` returns,
    with the same by domain and category under `domains` and by `groups` under `groups`; under `protocols` the
    others, each with its own `candidates`, `chance` and `systems`; under `pairs` what `paired.compare_all`
    makes of the own candidates.
    """
    users = _users(rankings)
    own = [row for row in rankings if row.protocol == OWN]
    systems = _by_system(own)
    ids = [test.prompt.id for test in cases]
    complete = {name: ranks for name, ranks in systems.items() if set(ids) <= set(ranks)}
    resampled = UserBootstrap([users[name] for name in ids], config.bootstrap, config.seed)
    return {
        "protocol": "one target among the case's candidates; ties count against the system",
        "intervals": "95 %: Wilson for hit@1; "
        f"bootstrap over users, {config.bootstrap} rounds, for mrr and ndcg@10",
        "cases": len(cases),
        **_among(own),
        "systems": {s: _system(cases, ranks, users, config, groups or {}) for s, ranks in systems.items()},
        "protocols": {name: _protocol(name, rankings, users, config) for name in _further(rankings)},
        "pairs": compare_all(
            {name: [ranks[one][0] for one in ids] for name, ranks in complete.items()}, resampled
        ),
    }


def figures(ranks: Ranks, users: Mapping[str, str], config: EvaluateConfig) -> dict[str, Any]:
    """One system over some cases.

    Args:
        ranks: of each case, by prompt id, one a draw.
        users: whose case it is, by prompt id.
        config: rounds and seed of the bootstrap.

    Returns:
        `n` cases, `draws`, `hit@1` with its `interval`, `hit@5`, `hit@10`, `mrr`, `ndcg@10`, each with its
        interval as `<figure>_interval`; with several draws `hit@1_by_draw`, and every figure is the mean over
        them.
    """
    if not ranks:
        return {"n": 0, "draws": 0}
    draws = min(len(row) for row in ranks.values())
    table = np.array([row[:draws] for row in ranks.values()], np.int64)  # [n, draws]
    resampled = UserBootstrap([users[name] for name in ranks], config.bootstrap, config.seed)
    found: dict[str, Any] = {"n": len(table), "draws": draws}
    values = {f"hit@{k}": hit_at(table, k) for k in (1, 5, 10)}
    values |= {"mrr": reciprocal_ranks(table), "ndcg@10": ndcg_at(table, 10)}
    for name, value in values.items():
        by_case = value.mean(axis=1)
        found[name] = float(by_case.mean())
        found[f"{name}_interval"] = resampled.interval(by_case)
    hits = values["hit@1"]
    found["interval"] = found.pop("hit@1_interval")
    if draws == 1:
        found["interval"] = wilson(int(hits.sum()), len(hits))
    else:
        found["hit@1_by_draw"] = hits.mean(axis=0).tolist()
    return found


def _system(
    cases: Sequence[EvalCase], ranks: Ranks, users: Mapping[str, str], config: EvaluateConfig, groups: Groups
) -> dict[str, Any]:
    def of(some: Sequence[EvalCase]) -> dict[str, Any]:
        return figures({t.prompt.id: ranks[t.prompt.id] for t in some if t.prompt.id in ranks}, users, config)

    domains = grouped(cases, lambda test: (test.case.domain, test.case.category))
    return {
        **of(cases),
        "domains": {name: of(group) for name, group in domains.items()},
        "groups": {name: of(group) for name, group in groups.items()},
    }


def _protocol(
    name: str, rankings: Sequence[Ranking], users: Mapping[str, str], config: EvaluateConfig
) -> dict[str, Any]:
    rows = [row for row in rankings if row.protocol == name]
    return {
        "protocol": f"one target among {_AMONG[name]}; ties count against the system",
        **_among(rows),
        "systems": {s: figures(ranks, users, config) for s, ranks in _by_system(rows).items()},
    }


def _among(rankings: Sequence[Ranking]) -> dict[str, Any]:
    """How many candidates there are, at most, and how often chance would be right."""
    sizes = {(row.prompt_id, row.draw): row.size for row in rankings}.values()
    return {
        "candidates": max(sizes, default=0),
        "chance": fmean(1 / size for size in sizes) if sizes else 0.0,
    }


def _by_system(rankings: Sequence[Ranking]) -> dict[str, Ranks]:
    found: dict[str, Ranks] = {}
    for row in sorted(rankings, key=lambda row: row.draw):
        found.setdefault(row.system, {}).setdefault(row.prompt_id, []).append(row.rank)
    order = {system: place for place, system in enumerate(dict.fromkeys(row.system for row in rankings))}
    return {name: found[name] for name in sorted(found, key=order.__getitem__)}


def _further(rankings: Sequence[Ranking]) -> list[str]:
    return [name for name in dict.fromkeys(row.protocol for row in rankings) if name != OWN]


def _users(rankings: Sequence[Ranking]) -> dict[str, str]:
    return {row.prompt_id: row.user for row in rankings}
