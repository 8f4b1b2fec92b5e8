"""What speaks for an item, in both languages."""

from __future__ import annotations

import numpy as np

from rectune.core.types import Item
from rectune.rankers.co_likes import CoLikes
from rectune.rankers.domain_data import TrainLikes
from rectune.recommender.evidence import Evidence, evidence_for

ALIEN = Item("movies", "1", "Alien", ("Horror", "Sci-Fi"), "", 1979, ("director: Ridley Scott",))
RUNNER = Item("movies", "2", "Blade Runner", ("Sci-Fi", "Noir"), "", 1982, ("director: Ridley Scott",))
THING = Item("movies", "3", "The Thing", ("sci-fi", "Horror"), "A creature in the ice.", 1982)
BREAD = Item("movies", "4", "Bread", ("Cooking", "(no genres listed)"))
PARASITE = Item("movies", "5", "기생충", ("(no genres listed)", "스릴러"), "", 2019, ("감독: 봉준호",))
MOTHER = Item("movies", "6", "마더", ("스릴러",), "", 2019, ("감독: 봉준호",))


def one(item: Item, liked: list[Item], query: str = "", locale: str = "en", likes: CoLikes | None = None):
    (found,) = evidence_for([item], liked, query, locale, likes)
    return found


def test_what_the_catalogue_says_of_both():
    assert one(THING, [ALIEN, BREAD]) == Evidence(
        "common", 'like "Alien": sci-fi, Horror', ("1",), words=("sci-fi", "Horror")
    )
    assert one(RUNNER, [ALIEN]).text == 'like "Alien": Sci-Fi, Ridley Scott'
    assert one(THING, [RUNNER, ALIEN]).text == 'like "Alien": sci-fi, Horror'  # of two and two the latest
    assert one(THING, [ALIEN, RUNNER]).text == 'like "Blade Runner": sci-fi, 1980s'
    assert one(BREAD, [ALIEN, PARASITE]) is None  # no genres listed is nothing in common
    assert one(THING, [Item("movies", "", "Typed", ("Horror",))]).item_ids == ()


def test_the_language_is_that_of_the_request():
    assert one(MOTHER, [PARASITE], locale="ko").text == '"기생충"과 같은 점: 스릴러, 봉준호, 2010년대'
    assert one(PARASITE, [MOTHER], locale="ko").text == '"마더"와 같은 점: 스릴러, 봉준호, 2010년대'
    assert one(PARASITE, [], "스릴러 영화", locale="ko").text == "찾으신 말: 스릴러"


def liked_by_four() -> CoLikes:
    """Four of ten people like 1 and 3, one more likes 1."""
    users = np.array([0, 1, 2, 3, 4, 0, 1, 2, 3, 5, 6, 7, 8, 9])
    items = np.array([0] * 5 + [1] * 4 + [2] * 5)
    return CoLikes.of(TrainLikes(("1", "3", "4"), users, items))


def test_people_count_for_more_than_words_and_are_at_least_three():
    found = one(THING, [ALIEN], likes=liked_by_four())
    assert found == Evidence("likes", '4 of 5 people who liked "Alien" also liked it', ("1",), 5, 4)
    korean = one(THING, [Item("movies", "1", "괴물")], locale="ko", likes=liked_by_four())
    assert korean.text == '"괴물"을 좋아한 5명 중 4명이 이것도 좋아했습니다'
    assert one(BREAD, [ALIEN], likes=liked_by_four()) is None
    # An item of another domain may bear the same id.
    assert one(THING, [Item("books", "1", "A book")], likes=liked_by_four()) is None


def test_words_of_the_query_come_first_where_they_say_something():
    found = one(THING, [ALIEN], "a creature in the ice", likes=liked_by_four())
    assert found == Evidence("query", "has your words: creature, ice", words=("creature", "ice"))
    assert one(THING, [ALIEN], "in the of", likes=liked_by_four()).kind == "likes"
