"""What the language model's side is trained on."""

from __future__ import annotations

import numpy as np

from rectune.core.rng import generator_of
from rectune.rankers.allmrec.train_cases import draw_cases
from rectune.rankers.domain_data import TrainLikes

USERS, LIKED, ITEMS = 20, 4, 9


def likes() -> TrainLikes:
    """User u likes u, u + 1 and so on, in this order, but that the file has them backwards."""
    users, nth = np.divmod(np.arange(USERS * LIKED)[::-1], LIKED)
    return TrainLikes(tuple(f"i{n}" for n in range(ITEMS)), users, (users + nth) % ITEMS, nth)


def test_a_case_is_what_came_before_and_what_came_next_and_every_user_is_once_before_any_twice():
    found = draw_cases(likes(), 18, seed=0)
    for case in (*found.train, *found.held_out):
        whole = [f"i{(case.user + n) % ITEMS}" for n in range(LIKED)]
        assert [*case.history, case.target] == whole[: len(case.history) + 1] and case.history
    assert len(found.held_out) == 2 and len(found.train) == 18
    assert len({case.user for case in (*found.train, *found.held_out)}) == USERS
    assert draw_cases(likes(), 18, seed=0) == found != draw_cases(likes(), 18, seed=1)


def test_no_more_cases_are_there_than_likes_and_held_out_users_are_in_no_other_case():
    found = draw_cases(likes(), 1000, seed=0)
    assert len(found.train) == len(set(found.train)) == (USERS - 2) * (LIKED - 1)
    assert not {case.user for case in found.train} & {case.user for case in found.held_out}


def test_no_more_users_are_held_out_than_is_worth_judging():
    assert [len(draw_cases(likes(), count, seed=0).held_out) for count in (1, 5, 10)] == [0, 1, 2]


def test_negatives_are_different_items_that_the_user_does_not_like():
    found = draw_cases(likes(), 18, seed=0)
    for count, expected in ((3, 3), (50, ITEMS - LIKED)):
        drawn = found.negatives(found.train[0], count, generator_of(count))
        assert len(drawn) == len(set(drawn)) == expected
        assert not {int(item[1:]) for item in drawn} & found.liked[found.train[0].user]
