"""Looking titles up: by id, as they are written, as people type them; what is another work is never found."""

import pytest

from rectune.core.types import Item
from rectune.prompts.answers import items_in_places, read_answer
from rectune.prompts.title_index import TitleIndex, TitleIndexes

TITLES = [
    "Interstellar (2014)",
    "The Third Man (1949)",
    "Sabrina (1954)",
    "Sabrina (1995)",
    "Iron Man 2 (2010)",
    "Alien",
    "Heat",
    "HEAT",
    "C++",
    "C#",
    "!!!",
    " ",
    "기생충과 함께하는 하루",
    "The Great Dictator (1940)",
]
INDEX = TitleIndex(Item("movies", f"m{place}", title) for place, title in enumerate(TITLES))


def found(words: str) -> str | None:
    place, similarity = INDEX.alike(words)
    assert (place is None) == (similarity == 0.0) and similarity <= 1.0
    return None if place is None else TITLES[place]


@pytest.mark.parametrize(
    ("typed", "title"),
    [
        ("Interstelar", "Interstellar (2014)"),
        ("Intersetllar (2014)", "Interstellar (2014)"),
        ("interstellar (2015)", "Interstellar (2014)"),
        ("Great Dictator", "The Great Dictator (1940)"),
        ("Thrid Man, The", "The Third Man (1949)"),
        ("Sabrina (1954)", "Sabrina (1954)"),
        ("sabrina [1995]", "Sabrina (1995)"),
        ("Ironn Man 2", "Iron Man 2 (2010)"),
        ("기생충과 함께 하는 하루", "기생충과 함께하는 하루"),
        ("기생중과 함께하는 하루", "기생충과 함께하는 하루"),
    ],
)
def test_misspelt_titles_are_found_with_and_without_their_year(typed: str, title: str):
    assert found(typed) == title


@pytest.mark.parametrize(
    "typed",
    [
        "Iron Man 3",
        "Iron Man",
        "Aliens",
        "Alian",
        "Interstate",
        "Third Row",
        "",
        " ",
        "(2014)",
        '"(*"~^ AND :',
    ],
)
def test_other_numbers_short_words_and_other_words_are_other_works(typed: str):
    assert found(typed) is None


def test_a_leading_article_may_be_left_out_unless_that_is_another_title() -> None:
    films = TitleIndex.of_titles(["Matrix, The (1999)", "Host (2000)", "The Host (2006)"])
    typed = ("Matrix", "Matrx", "host", "The Host")
    assert [films.alike(words)[0] for words in typed] == [0, 0, 1, 2]


def test_titles_that_differ_in_signs_have_their_own_items_and_those_that_differ_in_case_share_them():
    assert INDEX.ids(8) == {"m8"} and INDEX.ids(9) == {"m9"} and INDEX.ids(None) == frozenset()
    assert INDEX.ids(6) == INDEX.ids(7) == {"m6", "m7"}
    assert [item.item_id for item in INDEX.bearers("heat")] == ["m6", "m7"]
    assert [item.item_id for item in INDEX.called("heat!")] == ["m6", "m7"]
    assert INDEX.bearers("Interstelar") == INDEX.called("Qwzx") == []


def test_every_title_is_listed_once_and_none_that_is_blank():
    assert INDEX.distinct == [title for title in TITLES if title not in ("HEAT", " ")]


def test_items_are_looked_up_by_their_ids():
    assert INDEX.item("m5").title == "Alien"
    assert INDEX.places(["m5", "unknown", "m0"]) == [5, 0]
    with pytest.raises(KeyError):
        INDEX.item("unknown")


def test_titles_shown_are_preferred_in_that_reading_only():
    answer = "My recommendation: Sabrina"
    assert read_answer(answer, INDEX, (3,)).recommended == 3
    assert read_answer(answer, INDEX, (2,)).recommended == 2
    assert read_answer(answer, INDEX).recommended is None


def test_places_for_titles_are_read_each_time():
    answer = (
        "I like Alien.\nMy ranking:\n1. Alien\n2. C#\n- nothing\n"
        "My recommendation: alien. My recommendation: Heat"
    )
    assert [TITLES[place] for place in items_in_places(answer, INDEX)] == ["Alien", "C#", "Heat"]


def test_there_is_an_index_a_domain_and_of_one_id_the_first_item_stays():
    items = [Item("a", "1", "Alien"), Item("b", "1", "Heat"), Item("a", "1", "Up"), Item("a", "2", "It")]
    indexes = TitleIndexes(items)
    assert indexes["a"].titles == ["Alien", "It"] and indexes["b"].titles == ["Heat"]
    assert indexes["a"] is indexes["a"] and indexes["c"].titles == []
