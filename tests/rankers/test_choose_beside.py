"""New rankers beside what was chosen before: taken only where they surely help."""

from __future__ import annotations

import numpy as np

from rectune.core.figures.fit import RankerWeights
from rectune.rankers.choose_weights import ScoredUsers, choose_beside

ITEMS = 30
BEFORE = RankerWeights(weights={"old": 1.0}, half_likes=0.0)


def users(count: int, **places: int) -> ScoredUsers:
    """Each ranker puts the target at this place for every user, by scores that differ from user to user."""
    rng = np.random.default_rng(0)
    targets = rng.integers(ITEMS, size=count).tolist()
    scores = {}
    for name, place in places.items():
        rows = np.zeros((count, ITEMS))
        for row, target in zip(rows, targets, strict=True):
            others = rng.permutation([at for at in range(ITEMS) if at != target])
            order = np.insert(others, place - 1, target)
            row[order] = np.arange(ITEMS, 0, -1)
        scores[name] = rows
    return ScoredUsers(scores, targets, [[]] * count, np.ones(ITEMS, np.int64), list(places))


def test_what_surely_ranks_better_is_taken_alone_or_beside():
    found = choose_beside(users(60, old=4, new=1), BEFORE, ["new"])
    assert found.taken and found.chosen.weights["new"] >= 0.5
    assert found.difference > 0.3 and found.interval[0] > 0
    assert {name for one in found.tried for name in one.weights} == {"old", "new"}


def test_what_ranks_worse_is_not_taken():
    found = choose_beside(users(60, old=4, new=25), BEFORE, ["new"])
    assert not found.taken and found.chosen == BEFORE
    (alone,) = [one for one in found.tried if one.weights == {"new": 1.0}]
    assert alone.ndcg_at_10 == 0.0 and found.tried[0].weights == BEFORE.weights


def test_two_rankers_whose_errors_differ_are_fused():
    found = choose_beside(users(60, old=4, new=4), BEFORE, ["new"])
    assert found.taken and set(found.chosen.weights) == {"old", "new"}
    assert sum(found.chosen.weights.values()) == 1.0


def test_of_few_users_or_without_anything_new_what_was_chosen_stays():
    few = choose_beside(users(29, old=9, new=1), BEFORE, ["new"])
    none = choose_beside(users(60, old=9), BEFORE, [])
    for found in (few, none):
        assert not found.taken and found.tried == () and found.difference is None
    assert few.cases == 29
