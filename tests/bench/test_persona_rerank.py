"""bench.persona_rerank: the claims of a history, and ranks under a judge, on data whose answers are known."""

from __future__ import annotations

import numpy as np

from bench.persona_rerank import Users, lift_claims
from rectune.core.types import Case, Item

CATALOGUE = [
    *(Item("movies", f"w{at}", f"West {at}", ("Western", "Drama")) for at in range(3)),
    *(Item("movies", f"d{at}", f"Other {at}", ("Drama",)) for at in range(7)),
]


def test_claims_are_what_is_more_frequent_in_the_history_than_in_the_catalogue():
    (found,) = lift_claims(CATALOGUE[:2], CATALOGUE)  # all things are drama
    assert (found.stance, found.value, found.count, found.of) == ("likes", "Western", 2, 2)
    assert np.isclose(found.lift, 10 / 3)
    assert lift_claims([CATALOGUE[0], CATALOGUE[5]], CATALOGUE) == []  # one western proves nothing


def test_a_judge_that_knows_the_target_ranks_it_first_and_without_weight_changes_nothing():
    shown = ("w0", "d0", "d1")
    case = Case("c", "movies", "u", "test", ("w1",), "d1", shown, True, "movies")
    users = Users([case], [2], [np.array([3.0, 2.0, 1.0])], {"knows": [np.array([1.0, 1.0, 10.0])]})
    assert users.ranks("knows", 0.0) == [3]
    assert users.ranks("knows", 1.0) == [1]
