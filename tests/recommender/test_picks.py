"""Which items somebody new is asked about: spread over clusters, known ones first, following what is said."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rectune.core.types import Item
from rectune.rankers.co_likes import CoLikes
from rectune.rankers.domain_data import TrainLikes
from rectune.recommender.item_space import ItemSpace, space_of_items, space_of_likes
from rectune.recommender.picks import ItemPicks, Marks
from tests.recommender.shelf import by_likes, by_words

SIZE = 20  # items of each of two clusters: a0 … a19 and b0 … b19
IDS = tuple(f"{cluster}{number}" for cluster in "ab" for number in range(SIZE))


def two_crowds(loved: str = "", people: int = 60) -> CoLikes:
    """Half of the people like items of the one cluster, half of the other; the first of each are liked most.

    Items of the cluster `loved` have three times the people.
    """
    rng = np.random.default_rng(0)
    users, items = [], []
    for at, cluster in enumerate("ab"):
        for person in range(people * (3 if cluster == loved else 1)):
            for number in range(SIZE):
                if rng.random() < 0.9 - 0.04 * number:
                    users.append(1000 * at + person)
                    items.append(at * SIZE + number)
    return CoLikes.of(TrainLikes(IDS, np.array(users), np.array(items)))


@pytest.fixture(scope="module")
def picks() -> ItemPicks:
    return ItemPicks(space_of_likes(two_crowds(), IDS))


def by_categories(names: dict[str, str]) -> ItemPicks:
    """Items of one category each, of which nothing else is known."""
    items = [Item("movies", item, item, (name,)) for item, name in names.items()]
    return ItemPicks(space_of_items(items, None))


def clusters(ids: list[str]) -> list[str]:
    return [item[0] for item in ids]


def test_both_clusters_are_asked_about_in_turn_and_the_best_known_items_of_each_first(picks: ItemPicks):
    found = picks.choose(Marks(), 4)
    assert sorted(clusters(found)) == ["a", "a", "b", "b"] and set(clusters(found[:2])) == {"a", "b"}
    assert all(int(item[1:]) < 6 for item in found)


def test_a_cluster_that_more_people_like_does_not_take_all_places():
    found = ItemPicks(space_of_likes(two_crowds("b"), IDS)).choose(Marks(), 4)
    assert {"a", "b"} == set(clusters(found))


def test_what_is_liked_makes_its_neighbours_more_probable(picks: ItemPicks):
    before = clusters(picks.choose(Marks(), 8)).count("a")
    after = clusters(picks.choose(Marks(["a0", "a3", "a5"]), 8))
    assert after.count("a") > before


def test_what_is_known_without_being_liked_leaves_little_to_ask_of_its_cluster(picks: ItemPicks):
    assert picks.choose(Marks((), ["a0", "a1", "a2"]), 1)[0][0] == "b"
    assert picks.choose(Marks(), 1, shown=["b0", "b1", "b2"])[0][0] == "a"


def test_without_likes_each_category_is_asked_about_before_one_comes_twice():
    names = {f"{name}{number}": name for name in ("war", "love", "space", "crime") for number in range(5)}
    found = by_categories(names).choose(Marks(), 4)
    assert len({names[item] for item in found}) == 4


def test_without_likes_of_the_run_those_of_the_store_say_what_is_known():
    names = {f"{name}{number}": name for name in ("war", "love") for number in range(5)}
    found = by_categories(names).choose(Marks(), 2, stored={"war3": 30, "love4": 30, "gone": 99})
    assert set(found) == {"war3", "love4"}


@given(
    st.lists(st.sampled_from(IDS), max_size=50), st.lists(st.sampled_from(IDS), max_size=50),
    st.lists(st.sampled_from((*IDS, "strange")), max_size=50), st.integers(0, 50),
)  # fmt: skip
@settings(max_examples=60, deadline=None)
def test_it_gives_what_is_left_each_once_and_the_same_again(picks: ItemPicks, liked, others, shown, count):
    marks, left = Marks(liked, others), set(IDS) - {*liked, *others, *shown}
    found = picks.choose(marks, count, shown=shown)
    assert len(found) == len(set(found)) == min(count, len(left)) and left >= set(found)
    assert found == picks.choose(marks, count, shown=shown)
    assert set(picks.choose(marks, count, besides=shown)) <= left


@pytest.mark.parametrize("count", [1, 3])
def test_tiny_catalogues_and_items_of_which_nothing_is_known(count: int):
    names = {str(number): "" for number in range(count)}
    assert sorted(by_categories(names).choose(Marks(), 12)) == sorted(names)
    nothing = ItemSpace(tuple(names), np.zeros((count, 1)))
    assert sorted(ItemPicks(nothing).choose(Marks(), 12)) == sorted(names)


def test_it_takes_the_likes_of_the_recommender_and_else_what_its_items_are(tmp_path: Path):
    by_people = ItemPicks.of(by_likes(tmp_path / "likes"))
    assert by_people.choose(Marks(), 1)[0] in ("11", "13")  # three of five people like each of them
    films = ItemPicks.of(by_words(tmp_path / "words"))
    assert len(set(films.choose(Marks(), 3))) == 3
