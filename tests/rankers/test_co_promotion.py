"""Labels of co-promotion on a table by hand."""

from __future__ import annotations

import numpy as np

from rectune.rankers.co_promotion import CoPromotion, co_promoted, drawn
from tests.rankers.likes_world import data_of

# Items a to e in columns; a and b share three of five users, c and d all three, e has two promoters only.
TABLE = np.array(
    [
        [1, 1, 0, 0, 0],
        [1, 1, 0, 0, 0],
        [1, 1, 0, 0, 1],
        [1, 0, 0, 0, 1],
        [0, 1, 1, 1, 0],
        [0, 0, 1, 1, 0],
        [0, 0, 1, 1, 0],
    ]
)


def test_the_label_is_the_share_of_promoters_who_agree() -> None:
    pairs = co_promoted(data_of(TABLE).likes)
    # b and c share one user, a and e two: fewer than three tell nothing.
    assert [(one.first, one.second) for one in pairs] == [(2, 3), (0, 1)]
    np.testing.assert_allclose([one.jaccard for one in pairs], [1.0, 3 / 5])


def test_sets_of_users_by_item_make_the_label_whatever_numbers_the_users_have() -> None:
    """Numbers of users that are places of items as well change nothing."""
    plain = co_promoted(data_of(TABLE).likes)
    for users in (np.array([3, 2, 1, 0, 6, 5, 4]), np.arange(7) * 1000 + 3):
        assert co_promoted(data_of(TABLE, users=users).likes) == plain


def test_an_item_has_its_five_most_alike() -> None:
    table = np.ones((3, 12), np.int64)
    table = np.vstack([table, np.eye(12, dtype=np.int64)[6:]])  # the last six have a promoter of their own
    pairs = co_promoted(data_of(table).likes)
    best = [(one.first, one.second) for one in pairs if one.jaccard == 1.0]
    assert best == [(a, b) for a in range(6) for b in range(a + 1, 6)]
    assert all(one.jaccard == 3 / 4 and one.first < 5 for one in pairs if one.jaccard < 1)


def test_pairs_are_drawn_by_their_jaccard_each_once_and_by_the_seed() -> None:
    pairs = [CoPromotion(0, at, 0.9 if at == 1 else 0.1) for at in range(1, 6)]
    assert sorted(drawn(pairs, 99, 0), key=lambda one: one.second) == pairs
    assert drawn(pairs, 2, 3) == drawn(pairs, 2, 3) and len(drawn(pairs, 2, 3)) == 2
    firsts = [drawn(pairs, 1, seed)[0].second for seed in range(200)]
    assert 110 < firsts.count(1) < 170  # 9 of 13 in the long run
    assert drawn([], 3, 0) == []


def test_nothing_is_promoted_together_where_nobody_likes_anything() -> None:
    assert co_promoted(data_of(np.zeros((3, 4), np.int64)).likes) == []
