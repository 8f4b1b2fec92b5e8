"""Popularity lately: the latest likes count, and likes without times count all."""

from pathlib import Path

import numpy as np
import pytest

from rectune.core.errors import UserError
from rectune.core.types import Item
from rectune.rankers.domain_data import DomainData, TrainLikes
from rectune.rankers.popularity import Popularity, RecentPopularity

IDS = ("a", "b", "c")
ITEMS = [Item("d", name, name) for name in IDS]
LIKED = np.array([0, 0, 0, 0, 0, 0, 1, 1, 2, 1])  # `a` was liked often, `b` and `c` lately
TIMES = np.array([1, 2, 3, 4, 5, 6, 9, 7, 8, 7]) * 1000


def fitted(share: float, times: np.ndarray | None = TIMES, liked: np.ndarray = LIKED) -> RecentPopularity:
    likes = TrainLikes(IDS, np.arange(len(liked)), liked, times)
    return RecentPopularity(share).fit(DomainData("d", ITEMS, lambda: likes))


@pytest.mark.parametrize(
    ("share", "counts"),
    [
        (0.1, [0, 1, 0]),
        (0.2, [0, 1, 1]),
        (0.3, [0, 3, 1]),  # the third and fourth latest are of one moment, so both count
        (0.4, [0, 3, 1]),
        (0.41, [1, 3, 1]),
        (1.0, [6, 3, 1]),
    ],
)
def test_the_latest_share_of_the_likes_is_counted(share: float, counts: list[int]):
    (scores,) = fitted(share).score_all([("a",)])
    assert scores.tolist() == counts
    order = np.random.default_rng(0).permutation(len(LIKED))
    np.testing.assert_array_equal(fitted(share, TIMES[order], LIKED[order]).score_all([()])[0], counts)


def test_without_times_it_is_popularity_and_says_so(tmp_path: Path):
    untimed, timed = fitted(0.1, None), fitted(0.1)
    likes = TrainLikes(IDS, np.arange(len(LIKED)), LIKED)
    popularity = Popularity().fit(DomainData("d", ITEMS, lambda: likes))
    np.testing.assert_array_equal(untimed.score_all([()]), popularity.score_all([()]))
    assert (untimed.timed, timed.timed) == (False, True)
    for number, ranker in enumerate((untimed, timed)):
        ranker.save(tmp_path / str(number))
        again = RecentPopularity.load(tmp_path / str(number))
        assert (again.timed, again.share) == (ranker.timed, ranker.share)


@pytest.mark.parametrize("share", [0.0, -0.1, 1.1, float("nan")])
def test_a_share_out_of_range_is_refused(share: float):
    with pytest.raises(UserError, match="share is"):
        RecentPopularity(share)
