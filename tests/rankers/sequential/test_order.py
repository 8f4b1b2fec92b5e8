"""What only the order tells is found by rankers that read it, and by no others."""

import numpy as np
import pytest
import torch

from rectune.core.types import Item
from rectune.rankers.base import fit_ranker
from rectune.rankers.sequential.item_table import ItemTable
from tests.rankers.sequential.sequence_world import (
    KINDS,
    PER_KIND,
    RING,
    data_of,
    fitted,
    kind_items,
    kinds,
    ring,
    share_right,
    walks,
)

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


def test_texts_that_say_little_do_not_hide_what_the_ids_tell():
    shares = []
    for seed in range(3):
        likes = ring(seed=seed).likes
        items = [Item("ring", f"i{at:02}", f"place {at // 4 * 4}") for at in range(RING)]  # four share a text
        data = data_of(np.stack([likes.users, likes.items], 1), items)
        shares.append(
            [
                share_right(fitted(name, data, epochs=8, seed=seed), walks())
                for name in ("sasrec", "sasrec_text")
            ]
        )
    by_id, by_both = np.mean(shares, 0)
    assert by_id >= 0.95 and by_both >= by_id - 0.05


def test_ids_and_texts_begin_at_the_same_scale():
    table = ItemTable(64, 500, torch.nn.functional.normalize(torch.randn(600, 384), dim=1))
    with torch.no_grad():
        assert 0.5 <= float(table.of_text(table.text).std() / table.ids.std()) <= 2


def test_items_that_nobody_liked_are_placed_by_their_texts():
    data = kinds()
    ranker, blind = fitted("sasrec_text", data), fitted("sasrec", data)
    for kind in range(KINDS):
        history = [f"k{(kind + 2) % KINDS}0", f"k{(kind + 3) % KINDS}1"]
        scores = ranker.score_all([history])[0].reshape(KINDS, PER_KIND)
        assert scores[kind, -1] > np.delete(scores, kind, 0).max()  # of any item of another kind
        blindly = blind.score_all([history])[0].reshape(KINDS, PER_KIND)
        np.testing.assert_array_equal(blindly[:, -1], blindly.min())


def test_a_foreign_catalogue_is_scored_by_its_texts():
    data = kinds()
    ranker = fitted("sasrec_text", data)
    other = ranker.of_items(data.with_items([*kind_items("f"), *kind_items("k")[3:7]]))
    history = ["f20", "k10", "f31"]
    scores = other.score_all([history])[0]
    own = scores[: KINDS * PER_KIND].reshape(KINDS, PER_KIND)
    assert own[0].min() > own[1:].max()
    known = scores[KINDS * PER_KIND :]
    mixed = ranker.score_all([["k10"]])[0][3:7]
    np.testing.assert_allclose(other.score_all([["k10"]])[0][KINDS * PER_KIND :], mixed, rtol=1e-5)
    assert known[1] > known[3]  # of the kind that follows, though nobody liked it
    assert not np.ptp(other.score_all([()])[0][: KINDS * PER_KIND])
    assert fitted("sasrec", data, epochs=1).of_items(data) is None


@pytest.mark.parametrize("items", ["text", "id+text"])
def test_features_that_carry_the_signal_are_enough(items: str):
    ranker = fitted("sasrec_text", ring(), items=items)
    assert share_right(ranker, walks(3)) >= 0.9
