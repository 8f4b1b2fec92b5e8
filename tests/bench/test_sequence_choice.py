"""The figures of `bench.sequence_choice`."""

from __future__ import annotations

import numpy as np

from bench.sequence_choice import Held, figures
from rectune.core.figures.fit import RankerWeights
from rectune.rankers.choose_weights import ScoredUsers


def test_what_a_user_has_is_not_among_the_others_that_the_target_is_told_from():
    scores = {"ease": np.array([[5.0, 4.0, 3.0, 2.0, 1.0]] * 3)}
    likes = np.ones(5, np.int64)
    users = ScoredUsers(scores, [4, 4, 2], [[0, 1], [], [0, 1]], likes, ["ease"])
    beside = [[np.array([target, 3])] for target in users.targets]
    found = figures(Held(users, beside), RankerWeights(weights={"ease": 1.0}, half_likes=0.0))
    # Last of three, last of five, first of three: the last one comes before nothing that can be drawn.
    assert found["uniform"].tolist() == [0.0, 0.0, 1.0]
