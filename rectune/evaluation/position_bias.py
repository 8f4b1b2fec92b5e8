"""Whether a model that is shown candidates in an order prefers some places of it."""

from __future__ import annotations

from collections.abc import Sequence

from rectune.core.figures.evaluation import THIRDS, PositionBias
from rectune.core.stats.intervals import share_of
from rectune.core.types import Ranking
from rectune.evaluation.ranking_tasks import RankingTask


def position_bias(tasks: Sequence[RankingTask], rankings: Sequence[Ranking]) -> dict[str, PositionBias]:
    """By system that is shown the candidates: where what it put first had stood, and Hit@1 by where the
    target stood.

    Without bias a third of what is put first would come from each third of the list, and Hit@1 would be the
    same in all.

    Args:
        tasks: the cases in all their orders.
        rankings: of any systems; only those that list what they are shown are looked at.

    Returns:
        by system.
    """
    shown = {(task.test.prompt.id, task.draw): task for task in tasks}
    found: dict[str, list[Ranking]] = {}
    for row in rankings:
        if row.system.endswith("/listed") and (row.prompt_id, row.draw) in shown:
            found.setdefault(row.system, []).append(row)
    return {system: _bias(rows, shown) for system, rows in found.items()}


def _bias(rows: Sequence[Ranking], shown: dict[tuple[str, int], RankingTask]) -> PositionBias:
    picked: list[int] = []
    hits: dict[int, list[bool]] = {third: [] for third in range(3)}
    for row in rows:
        task = shown[row.prompt_id, row.draw]
        if row.scores[0] > row.scores[-1]:  # where all are equal nothing was read out of the answer
            picked.append(_third(task.candidates.index(row.items[0]), row.size))
        hits[_third(task.candidates.index(task.test.case.target), row.size)].append(row.rank == 1)
    return PositionBias(
        n=len(rows),
        unread=1 - len(picked) / len(rows),
        picked={name: share_of(picked.count(third), len(picked)) for third, name in enumerate(THIRDS)},
        hit_at_1={name: share_of(sum(hits[third]), len(hits[third])) for third, name in enumerate(THIRDS)},
    )


def _third(place: int, size: int) -> int:
    return min(2, 3 * place // size)
