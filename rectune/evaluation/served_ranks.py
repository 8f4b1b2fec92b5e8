"""Where the next item of a user stands: in the recommender's list, and by the scores of a ranker."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rectune.core.stats.metrics import area_under_curve, target_rank
from rectune.evaluation.served_users import ServedUser
from rectune.rankers.base import Ranker, ScoredItem
from rectune.rankers.holdout import target_ranks
from rectune.recommender.answering import CatalogueAnswers
from rectune.recommender.options import RecommendOptions
from rectune.recommender.requests import UserRequest

LISTED = 10  # items of a list
_AT_ONCE = 64  # users whose whole catalogue is scored together

Asked = Callable[[int], Sequence[ScoredItem]]


@dataclass(frozen=True)
class TargetRanks:
    """One system on n users.

    Attributes:
        ranks: [n] the rank of the target in the whole catalogue but for what the user met; a tie counts
            against the system. What is not in a list has the rank items + 1.
        own: [n] its rank among the case's own candidates; all 0 for users without candidates.
        areas: [n] the area under the curve; NaN where it is not defined.
    """

    ranks: NDArray[np.int64]
    own: NDArray[np.int64]
    areas: NDArray[np.float64]


@dataclass(frozen=True)
class ServedRanks:
    """What users are served: the ranks of the targets, and each list of at most `LISTED` ids."""

    ranks: TargetRanks
    lists: list[tuple[str, ...]]


def served_ranks(
    recommender: CatalogueAnswers, users: Sequence[ServedUser], advance: Callable[[int], None]
) -> ServedRanks:
    """Ask the recommender for a list of `LISTED` for each user, and for one of the case's own candidates.

    Args:
        recommender: of the users' domain, with a ranker.
        users: with a history each.
        advance: called with the number of users just done.
    """
    lists, ranks, own = [], [], []
    last = len(recommender.items) + 1
    for user in users:
        listed, rank = _in_list(_asked(recommender, user, None), user.target, LISTED)
        lists.append(tuple(one.item_id for one in listed))
        ranks.append(rank or last)
        own.append(_own_rank(recommender, user) if user.candidates else 0)
        advance(1)
    areas = np.full(len(users), np.nan)
    return ServedRanks(TargetRanks(np.array(ranks, np.int64), np.array(own, np.int64), areas), lists)


def scored_ranks(ranker: Ranker, users: Sequence[ServedUser], advance: Callable[[int], None]) -> TargetRanks:
    """The ranks of the targets by a ranker's scores, of which a few users' are held in memory.

    Args:
        ranker: fitted on the domain.
        users: of it.
        advance: called with the number of users just done.
    """
    place = {item: at for at, item in enumerate(ranker.item_ids)}
    ranks, own, areas = [], [], []
    for start in range(0, len(users), _AT_ONCE):
        some = users[start : start + _AT_ONCE]
        scores = ranker.score_users([user.history for user in some], [user.attributes for user in some])
        absent = [[place[item] for item in user.absent if item in place] for user in some]
        ranks.append(target_ranks(scores, [place[user.target] for user in some], absent))
        for user, left_out, row in zip(some, absent, scores, strict=True):
            areas.append(_area(row, place[user.target], left_out))
            shown = [float(row[place[item]]) for item in user.candidates]
            own.append(target_rank(user.candidates, shown, user.target) if shown else 0)
        advance(len(some))
    found = np.concatenate(ranks) if ranks else np.zeros(0, np.int64)
    return TargetRanks(found, np.array(own, np.int64), np.array(areas, np.float64))


def _asked(recommender: CatalogueAnswers, user: ServedUser, within: Collection[str] | None) -> Asked:
    """Asks for so many items for a user, as a service would, and gives what it gets."""
    request = UserRequest(user.history, attributes=user.attributes)

    def ask(k: int) -> list[ScoredItem]:
        options = RecommendOptions(k=k, exclude=user.absent, within=within, explain=0)
        found = recommender.recommend_all([request], options)[0]
        return [ScoredItem(item.item_id, item.score) for item in found.items]

    return ask


def _own_rank(recommender: CatalogueAnswers, user: ServedUser) -> int:
    """The target's rank among the case's own candidates; one more than there are where it is not served."""
    count = len(user.candidates)
    return _in_list(_asked(recommender, user, user.candidates), user.target, count)[1] or count + 1


def _in_list(ask: Asked, target: str, k: int) -> tuple[Sequence[ScoredItem], int]:
    """The first k items, and the rank of the target in them; 0 where it is not there.

    A tie counts against the system: where the target scores as low as the last item, more items are asked
    for, until one scores less.
    """
    listed = found = ask(k)
    own = next((one.score for one in listed if one.item_id == target), None)
    if own is None:
        return listed, 0
    while len(found) >= k and found[-1].score >= own:
        k *= 4
        found = ask(k)
    return listed, sum(one.score >= own for one in found)


def _area(scores: NDArray[np.floating], place: int, absent: Sequence[int]) -> float:
    left = np.ones(len(scores), np.bool_)
    left[absent] = False
    left[place] = True
    plain = np.where(np.isnan(scores), -np.inf, scores)[left]
    found = area_under_curve(plain, int(np.count_nonzero(left[:place])))
    return np.nan if found is None else found
