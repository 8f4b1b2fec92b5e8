"""Rankers for a catalogue that has changed since they were fitted."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from rectune.core.types import Item
from rectune.rankers.base import fit_ranker
from rectune.rankers.choice import ChoiceOptions
from rectune.rankers.chosen import ChosenRanker
from rectune.rankers.co_likes import CoLikes
from rectune.rankers.domain_data import DomainData, TrainLikes
from rectune.rankers.new_items import with_items
from rectune.retrieval.embedding import Vectors, register

BLOCKS, SIZE, USERS = 4, 10, 60
NEW = Item("d", "new", "two x99")
ASKED = list[str]()


def _one(texts: Sequence[str]) -> Vectors:
    """All texts are alike; what was asked is kept."""
    ASKED.extend(texts)
    return np.ones((len(texts), 2), np.float32) / np.float32(np.sqrt(2))


register("listening", 2, _one)


def blocks() -> list[Item]:
    """Forty items in four blocks, whose titles say the block."""
    words = ("one", "two", "three", "four")
    return [Item("d", f"i{at}{n}", f"{words[at]} x{at}{n}") for at in range(BLOCKS) for n in range(SIZE)]


def likes() -> TrainLikes:
    """Eight likes of each user, of one block."""
    rng = np.random.default_rng(1)
    pairs = [(user, SIZE * (user % BLOCKS) + n) for user in range(USERS) for n in rng.permutation(SIZE)[:8]]
    users, places = np.array(pairs).T
    return TrainLikes(tuple(item.item_id for item in blocks()), users, places, np.arange(len(pairs)))


def data() -> DomainData:
    """Items and likes."""
    return DomainData("d", blocks(), likes, "listening")


HISTORIES = [("i10", "i11"), ("i30", "i31", "i32", "i33", "i34"), ("i20", "new")]
LEFT = [item for item in blocks() if item.item_id not in ("i12", "i39")]
CHANGED = [NEW, *reversed(LEFT)]


@pytest.mark.parametrize("name", ["popularity", "item_knn", "ease"])
def test_known_items_are_scored_as_before_and_new_ones_by_their_words(name: str):
    before = fit_ranker(name, data())
    after = with_items(before, data().with_items(CHANGED))
    assert list(after.item_ids) == [item.item_id for item in CHANGED] and after.name == name
    old, new = before.score_all(HISTORIES), after.score_all(HISTORIES)
    places = [before.place[item] for item in after.item_ids[1:]]
    np.testing.assert_allclose(new[:, 1:], old[:, places])
    means = np.mean(old, axis=1)
    assert new[0, 0] > means[0]  # the same word as the history
    assert new[1, 0] < means[1]  # another one
    (best,) = after.top([("i10", "i11")], 41, [()])
    assert {one.item_id for one in best} == set(after.item_ids)


def test_what_needs_no_likes_is_fitted_anew():
    changed = data().with_items(CHANGED)
    for name in ("bm25", "hybrid", "embedding_mean"):
        made, fresh = with_items(fit_ranker(name, data()), changed), fit_ranker(name, changed)
        np.testing.assert_array_equal(made.score_all(HISTORIES), fresh.score_all(HISTORIES))


def test_a_choice_keeps_its_weights_and_ranks_the_new_items():
    before = ChosenRanker().fit_with(data(), ChoiceOptions(("popularity", "bm25", "item_knn")))
    after = with_items(before, data().with_items(CHANGED))
    assert isinstance(after, ChosenRanker) and after.choice == before.choice
    assert after.likes[0] == 0 and after.likes[1] == before.likes[before.place["i38"]]
    best = after.top([("i10", "i11")], 8)[0]
    assert "new" in [one.item_id for one in best]
    assert all(one.item_id == "new" or one.item_id.startswith("i1") for one in best)
    assert np.isfinite(after.score_requests(HISTORIES, ["two", "", "x99"])).all()
    assert len(after.parts_of(("i10",), ["new"])[0]) >= 1


def test_nothing_changes_where_the_items_are_the_same():
    before = fit_ranker("item_knn", data())
    assert with_items(before, data().with_items(blocks())) is before


def test_vectors_of_items_with_the_same_text_are_taken_over():
    first = data()
    first.all_vectors()
    ASKED.clear()
    second = first.with_items([NEW, *LEFT[1:], Item("d", "i00", "renamed")])
    assert second.all_vectors().shape == (39, 2) and sorted(ASKED) == ["renamed", "two x99"]


def test_likes_follow_their_items():
    made = CoLikes.of(likes()).of_items(("new", "i05", "i00"))
    old = CoLikes.of(likes())
    assert made.counts.tolist() == [0, old.counts[5], old.counts[0]]
    assert sum(made.counts) == len(made.users)
