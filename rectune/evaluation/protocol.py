"""The protocol: one item that a test user really took next, among candidates; figures by system, group and
protocol.

All systems rank the same candidates of the same cases.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import fmean

import numpy as np
from numpy.typing import NDArray

from rectune.core.figures.evaluation import ProtocolFigures, RankingFigures, RankingMetrics, SystemFigures
from rectune.core.figures.record import Interval
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
) -> RankingMetrics:
    """Every figure of the rankings.

    Args:
        cases: the test cases.
        rankings: of them, under any protocols.
        config: rounds and seed of the bootstrap.
        groups: cases of which figures are wanted apart.
    """
    users = _users(rankings)
    own = [row for row in rankings if row.protocol == OWN]
    systems = _by_system(own)
    first = {name: {case: row[0] for case, row in ranks.items()} for name, ranks in systems.items()}
    candidates, chance = _among(own)
    return RankingMetrics(
        protocol="one target among the case's candidates; ties count against the system",
        intervals="95 %: Wilson for hit@1; "
        f"bootstrap over users, {config.bootstrap} rounds, for mrr and ndcg@10",
        cases=len(cases),
        candidates=candidates,
        chance=chance,
        systems={s: _system(cases, ranks, users, config, groups or {}) for s, ranks in systems.items()},
        protocols={name: _protocol(name, rankings, users, config) for name in _further(rankings)},
        pairs=compare_all(first, users, config.bootstrap, config.seed),
    )


def ranking_figures(ranks: Ranks, users: Mapping[str, str], config: EvaluateConfig) -> RankingFigures:
    """One system over some cases.

    Args:
        ranks: of each case, by prompt id, one a draw; at least one case.
        users: whose case it is, by prompt id.
        config: rounds and seed of the bootstrap.
    """
    draws = min(len(row) for row in ranks.values())
    table = np.array([row[:draws] for row in ranks.values()], np.int64)  # [n, draws]
    resampled = UserBootstrap([users[name] for name in ranks], config.bootstrap, config.seed)
    hits = hit_at(table, 1)

    def mean_of(values: NDArray[np.float64]) -> tuple[float, Interval]:
        by_case = values.mean(axis=1)
        return float(by_case.mean()), resampled.interval(by_case)

    hit_1, interval = mean_of(hits)
    (hit_5, interval_5), (hit_10, interval_10) = (mean_of(hit_at(table, k)) for k in (5, 10))
    (mrr, mrr_interval), (ndcg, ndcg_interval) = map(mean_of, (reciprocal_ranks(table), ndcg_at(table, 10)))
    return RankingFigures(
        n=len(table),
        draws=draws,
        hit_at_1=hit_1,
        interval=wilson(int(hits.sum()), len(hits)) if draws == 1 else interval,
        hit_at_5=hit_5,
        hit_at_5_interval=interval_5,
        hit_at_10=hit_10,
        hit_at_10_interval=interval_10,
        mrr=mrr,
        mrr_interval=mrr_interval,
        ndcg_at_10=ndcg,
        ndcg_at_10_interval=ndcg_interval,
        hit_at_1_by_draw=tuple(hits.mean(axis=0).tolist()) if draws > 1 else None,
    )


def _system(
    cases: Sequence[EvalCase], ranks: Ranks, users: Mapping[str, str], config: EvaluateConfig, groups: Groups
) -> SystemFigures:
    def of(some: Sequence[EvalCase]) -> RankingFigures | None:
        found = {t.prompt.id: ranks[t.prompt.id] for t in some if t.prompt.id in ranks}
        return ranking_figures(found, users, config) if found else None

    domains = grouped(cases, lambda test: (test.case.domain, test.case.category))
    return SystemFigures(
        **dict(ranking_figures(ranks, users, config)),
        domains={name: of(group) for name, group in domains.items()},
        groups={name: of(group) for name, group in groups.items()},
    )


def _protocol(
    name: str, rankings: Sequence[Ranking], users: Mapping[str, str], config: EvaluateConfig
) -> ProtocolFigures:
    rows = [row for row in rankings if row.protocol == name]
    candidates, chance = _among(rows)
    return ProtocolFigures(
        protocol=f"one target among {_AMONG[name]}; ties count against the system",
        candidates=candidates,
        chance=chance,
        systems={s: ranking_figures(ranks, users, config) for s, ranks in _by_system(rows).items()},
    )


def _among(rankings: Sequence[Ranking]) -> tuple[int, float]:
    """How many candidates there are, at most, and how often chance would be right."""
    sizes = {(row.prompt_id, row.draw): row.size for row in rankings}.values()
    return max(sizes, default=0), fmean(1 / size for size in sizes) if sizes else 0.0


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
