"""What stage 1 is trained on: every like once, states of what came before, and items that are not liked."""

from collections import Counter

import numpy as np
import pytest
import torch

from rectune.rankers.allmrec.examples import NegativeSampler, examples_of, train_sequences
from rectune.rankers.sequential.sasrec import SasRec
from rectune.rankers.sequential.sequences import Sequences
from tests.rankers.allmrec.joint_world import USERS, world


@pytest.fixture(scope="module")
def short_sighted() -> SasRec:
    """Sees the last three items only, so that histories of six are several windows."""
    return SasRec(dim=4, layers=1, heads=1, dropout=0.0, epochs=1, max_length=3).fit(world())


def test_every_like_but_the_first_is_an_example_once(short_sighted: SasRec):
    likes = world().likes
    sequences = train_sequences(short_sighted, likes, 0)
    found = examples_of(short_sighted, sequences, "all")
    expected = Counter(
        (user, int(row) - 1)
        for user in range(USERS)
        for row in sequences.items[sequences.bounds[user] + 1 : sequences.bounds[user + 1]]
    )
    assert Counter(zip(found.users.tolist(), found.targets.tolist(), strict=True)) == expected


def test_the_last_like_is_the_target_and_the_state_is_that_of_the_items_before_it(short_sighted: SasRec):
    likes = world().likes
    sequences = train_sequences(short_sighted, likes, 0)
    found = examples_of(short_sighted, sequences, "last")
    ids = np.array(short_sighted.item_ids)
    for user in (0, 1, 59):
        own = ids[likes.items[likes.users == user]].tolist()
        at = int(np.flatnonzero(found.users == user)[0])
        assert ids[short_sighted.covered[found.targets[at]]] == own[-1]
        state = short_sighted.user_states([own[:-1]])[0]
        np.testing.assert_allclose(found.states[at].numpy(), state, atol=1e-5)
    assert sorted(found.users.tolist()) == list(range(USERS))


def test_drawn_items_are_never_liked_and_reach_every_other_item():
    likes = [[1, 2, 3, 4, 5, 6, 7, 9], [1], [1, 2, 3, 4, 5, 6, 7, 8, 9]]
    bounds = np.cumsum([0, *map(len, likes)])
    sampler = NegativeSampler(Sequences(np.concatenate(likes), bounds), 9)
    assert sampler.able(np.arange(3)).tolist() == [True, True, False]
    rng = np.random.default_rng(0)
    drawn = sampler.draw(np.repeat([0, 1], 300), rng)
    assert set(drawn[:300].tolist()) == {7}
    assert set(drawn[300:].tolist()) == set(range(1, 9))


def test_states_have_no_gradient(short_sighted: SasRec):
    sequences = train_sequences(short_sighted, world().likes, 0)
    assert not examples_of(short_sighted, sequences, "all").states.requires_grad
    assert torch.is_grad_enabled()
