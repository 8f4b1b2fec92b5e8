"""The made-up world of `bench.sequence_stopping`: who likes what, and what it lets nobody know."""

from __future__ import annotations

import numpy as np

from bench.sequence_world import KINDS, LIKES, PER_KIND, made_up


def test_users_go_from_kind_to_kind_more_often_than_by_chance_and_new_ones_are_not_trained_on():
    trial = made_up(0, train=60, ranked=20)
    assert len(np.unique(trial.likes.users)) == 60 and len(trial.users) == 20
    walks = trial.likes.items.reshape(60, LIKES)
    assert all(len(set(row)) == LIKES for row in walks.tolist())
    kinds = walks // PER_KIND
    on = (kinds[:, 1:] == (kinds[:, :-1] + 1) % KINDS).mean()
    assert 0.55 < on < 0.72  # 0.6, and a twentieth of what goes anywhere
    for user in trial.users:
        assert len(user.history) == LIKES - 1 and user.target not in user.history
    assert made_up(1, 2, 2).users == made_up(1, 2, 2).users != made_up(2, 2, 2).users
