"""What only the order tells is found by rankers that read it, and by no others."""

import numpy as np
import pytest

from rectune.rankers.base import fit_ranker
from tests.rankers.sequential.sequence_world import RING, data_of, fitted, item_of, ring, share_right, walks

FAMILIES = ("sasrec", "sasrec_text", "bert4rec")


@pytest.mark.parametrize("name", FAMILIES)
def test_the_item_that_follows_comes_first_for_people_never_trained_on(name: str):
    ranker = fitted(name, ring(users=120))
    assert share_right(ranker, walks(3)) >= 0.9
    assert share_right(ranker, walks(1)) >= 0.75


@pytest.mark.parametrize("name", ["item_knn", "ease"])
def test_rankers_that_read_no_order_cannot_tell_it_from_the_item_before(name: str):
    backwards = [history[::-1] for history in walks(3)]
    ranker = fit_ranker(name, ring())
    np.testing.assert_allclose(ranker.score_all(walks(3)), ranker.score_all(backwards), atol=1e-6)
    assert share_right(ranker, walks(3)) <= 0.7


def test_shuffled_histories_tell_nothing():
    plain, shuffled = fitted("sasrec", ring()), fitted("sasrec", ring(shuffled=True))
    assert share_right(shuffled, walks(3)) <= share_right(plain, walks(3)) - 0.25


def test_the_order_is_that_of_the_times_and_not_of_the_rows():
    data = ring()
    rng = np.random.default_rng(0)
    mixed = rng.permutation(len(data.likes.users))
    rows = np.stack([data.likes.users, data.likes.items], 1)[mixed]
    other = data_of(rows, list(data.items.values()), data.likes.times[mixed])
    scores = [fitted("sasrec", one, epochs=2).score_all(walks()) for one in (data, other)]
    np.testing.assert_array_equal(scores[0], scores[1])


def test_likes_of_the_same_time_are_in_the_order_of_the_rows():
    data = ring()
    rows = np.stack([data.likes.users, data.likes.items], 1)
    tied = data_of(rows, list(data.items.values()), np.zeros(len(rows), np.int64))
    scores = [fitted("sasrec", one, epochs=2).score_all(walks()) for one in (data, tied)]
    np.testing.assert_array_equal(scores[0], scores[1])


def test_without_times_an_order_is_drawn_and_it_is_said(capsys):
    data = ring()
    data.likes.__dict__["times"] = None  # the dataclass is frozen
    ranker = fitted("sasrec", data)
    assert "likes have no times: every epoch draws an order" in capsys.readouterr().err
    assert share_right(ranker, walks(3)) <= 0.75


def test_items_that_nobody_liked_are_placed_by_their_texts():
    absent = (4, 9)
    ranker = fitted("sasrec_text", ring(users=160, absent=absent))
    others = [history for history in walks(2) if int(history[-1][1:]) + 1 in absent]
    assert len(others) == 2
    for history in others:
        scores = dict(zip(ranker.item_ids, ranker.score_all([history])[0], strict=True))
        right = f"i{int(history[-1][1:]) + 1:02}"
        ahead = sum(score > scores[right] for item, score in scores.items() if item not in history)
        assert ahead <= 2  # of nine others
    blind = fitted("sasrec", ring(users=160, absent=absent))
    assert all(blind.score_all([history])[0].argmin() == min(absent) for history in others)


def test_a_foreign_catalogue_is_scored_by_its_texts():
    ranker = fitted("sasrec_text", ring())
    foreign = data_of(np.zeros((0, 2)), [item_of(number) for number in range(RING, 2 * RING)])
    other = ranker.of_items(foreign)
    history = [f"i{RING + 3:02}", f"i{RING + 4:02}"]
    (best,) = other.top([history], 2)
    assert f"i{RING + 5:02}" in [item.item_id for item in best]
    assert ranker.score_all([history]).tolist() == ranker.score_all([()]).tolist()  # all unknown here
    assert fitted("sasrec", ring(), epochs=1).of_items(foreign) is None


@pytest.mark.parametrize("items", ["text", "id+text"])
def test_features_that_carry_the_signal_are_enough(items: str):
    ranker = fitted("sasrec_text", ring(), items=items)
    assert share_right(ranker, walks(3)) >= 0.9
