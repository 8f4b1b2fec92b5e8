"""Whether a model that is shown candidates in an order prefers some places of it."""

from __future__ import annotations

from collections.abc import Sequence

from rectune.core.figures.evaluation import THIRDS, PositionBias
from rectune.core.figures.record import ShareInterval
from rectune.core.settings import EvaluateConfig
from rectune.core.stats.intervals import wilson
from rectune.core.stats.metrics import UserBootstrap
from rectune.core.types import Ranking
from rectune.evaluation.ranking_tasks import RankingTask


def position_bias(
    tasks: Sequence[RankingTask], rankings: Sequence[Ranking], config: EvaluateConfig
) -> dict[str, PositionBias]:
    """By system that is shown the candidates: where what it put first had stood, and Hit@1 by where the
    target stood.

    Without bias a third of what is put first would come from each third of the list, and Hit@1 would be the
    same in all.

    Args:
        tasks: the cases in all their orders.
        rankings: of any systems; only those that list what they are shown are looked at.
        config: rounds and seed of the bootstrap.

    Returns:
        by system.
    """
    shown = {(task.test.prompt.id, task.draw): task for task in tasks}
    found: dict[str, list[Ranking]] = {}
    for row in rankings:
        if row.system.endswith("/listed") and (row.prompt_id, row.draw) in shown:
            found.setdefault(row.system, []).append(row)
    return {system: _bias(rows, shown, config) for system, rows in found.items()}


def _bias(
    rows: Sequence[Ranking], shown: dict[tuple[str, int], RankingTask], config: EvaluateConfig
) -> PositionBias:
    picked: list[tuple[str, int]] = []
    hits: dict[int, list[tuple[str, bool]]] = {third: [] for third in range(3)}
    for row in rows:
        task = shown[row.prompt_id, row.draw]
        if row.scores[0] > row.scores[-1]:  # where all are equal nothing was read out of the answer
            picked.append((row.user, _third(task.candidates.index(row.items[0]), row.size)))
        third = _third(task.candidates.index(task.test.case.target), row.size)
        hits[third].append((row.user, row.rank == 1))
    return PositionBias(
        n=len(rows),
        unread=1 - len(picked) / len(rows),
        picked={
            name: _share([(user, one == third) for user, one in picked], config)
            for third, name in enumerate(THIRDS)
        },
        hit_at_1={name: _share(hits[third], config) for third, name in enumerate(THIRDS)},
    )


def _share(lists: Sequence[tuple[str, bool]], config: EvaluateConfig) -> ShareInterval:
    """How many of the lists count, with an interval over users: one user's lists are much alike.

    It is Wilson's, of as many users, where each has one list, and where all lists count alike.
    """
    users, counted = [user for user, _ in lists], [float(counts) for _, counts in lists]
    n, people = len(lists), len(set(users))
    share = sum(counted) / n if n else None
    if share in (None, 0.0, 1.0) or people == n:
        low, high = wilson((share or 0.0) * people, people)
    else:
        low, high = UserBootstrap(users, config.bootstrap, config.seed).interval(counted)
    return ShareInterval(share=share, low=low, high=high, n=n)


def _third(place: int, size: int) -> int:
    return min(2, 3 * place // size)
