"""How many people liked two items: counted by hand, and never fewer than three."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rectune.core.errors import UserError
from rectune.core.types import Item
from rectune.rankers.choice import ChoiceOptions
from rectune.rankers.chosen import ChosenRanker, load_co_likes
from rectune.rankers.co_likes import FEWEST, CoLike, CoLikes
from rectune.rankers.domain_data import DomainData, TrainLikes

IDS = ("a", "b", "c", "d")
# a is liked by 5 people, b by 4 of them and one more, c by 3 of those who like b and 5 others, d by 2.
PEOPLE = {"a": [1, 2, 3, 4, 5], "b": [1, 2, 3, 4, 9], "c": [2, 3, 9, 20, 21, 22, 23, 24], "d": [1, 2]}


def likes_of(people: dict[str, list[int]]) -> TrainLikes:
    rows = [(user, IDS.index(item)) for item, users in people.items() for user in users]
    pairs = np.array(rows, np.int64).reshape(-1, 2)
    return TrainLikes(IDS, pairs[:, 0], pairs[:, 1])


def test_the_item_of_the_history_that_goes_best_with_it_is_counted():
    found = CoLikes.of(likes_of(PEOPLE))
    assert found.counts.tolist() == [5, 5, 8, 2]
    assert found.strongest(["a", "c"], ["b"]) == [CoLike("a", 5, 4)]  # 4 / sqrt(5) against 3 / sqrt(8)
    assert found.strongest(["c"], ["b"]) == [None]  # 3 of 8, and of all eleven 5 like b: that is no more
    assert found.strongest(["a"], ["a"]) == [None] and found.strongest([], ["a"]) == [None]
    assert found.strongest(["x", "a"], ["b", "x"]) == [CoLike("a", 5, 4), None]


def test_fewer_than_three_people_are_never_counted():
    found = CoLikes.of(likes_of(PEOPLE))
    assert found.strongest(["a", "b"], ["d"]) == [None]  # both who like d like a and b, too
    assert found.strongest(["d"], ["a"]) == [None]


@given(st.dictionaries(st.sampled_from(IDS), st.lists(st.integers(0, 12), unique=True), min_size=1))
def test_whatever_people_like_the_counts_are_those_of_sets(people: dict[str, list[int]]):
    found = CoLikes.of(likes_of(people))
    sets = {item: set(people.get(item, ())) for item in IDS}
    for item, best in zip(IDS, found.strongest(IDS, IDS), strict=True):
        if best is not None:
            assert best.item_id != item and best.liked == len(sets[best.item_id])
            assert best.both == len(sets[best.item_id] & sets[item]) >= FEWEST


def test_a_saved_choice_keeps_who_liked_what(tmp_path: Path):
    likes = likes_of(PEOPLE)
    data = DomainData("other", [Item("other", item, item) for item in IDS], lambda: likes)
    ranker = ChosenRanker().fit_with(data, ChoiceOptions(["popularity", "bm25"]))
    ranker.save(tmp_path)
    for kept in (ChosenRanker.load(tmp_path).co_likes, load_co_likes(tmp_path)):
        assert kept.strongest(["a", "c"], ["b"]) == [CoLike("a", 5, 4)]
        assert kept.users.dtype == np.int32 and kept.counts.tolist() == ranker.likes.tolist()
    assert ChosenRanker.load(tmp_path).score_all([["a"]]).tolist() == ranker.score_all([["a"]]).tolist()
    with pytest.raises(UserError, match="holds no saved ranker"):
        load_co_likes(tmp_path / "absent")
