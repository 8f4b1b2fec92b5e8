"""Answers of a chat that take up what was said: what is like an item, children, time, titles, farewells."""

from dataclasses import replace
from pathlib import Path

import pytest

from rectune.dialogue.chat_catalogue import ChatCatalogue
from rectune.recommender.recommender import Recommender
from tests.dialogue.chats import Chat, said
from tests.dialogue.films import items_of, shelf
from tests.recommender.shelf import RETRIEVAL
from tests.retrieval import letters  # noqa: F401


def test_like_that_gives_what_has_something_in_common_and_why_says_so(english: Chat):
    result = english("more like Paper Moons")
    assert result.turn.item_ids and "e7" in result.turn.item_ids and "e4" not in result.turn.item_ids
    told = said(english("why?"))
    assert 'something like "Paper Moons"' in told and "In common: " in told and "You liked" not in told


@pytest.mark.parametrize(
    ("locale", "first", "hard"),
    [
        ("en", "a film for my kids, no Sci-Fi", {"e1", "e4", "e6"}),
        ("ko", "아이들이랑 볼 거, SF 말고", {"k1", "k2", "k4", "k6"}),
    ],
)
def test_children_get_nothing_hard_where_the_catalogue_has_nothing_for_them(
    recommenders: dict[str, Recommender], locale: str, first: str, hard: set[str]
):
    chat = Chat(recommenders[locale], shelf(locale))
    result = chat(first)
    assert result.turn.item_ids and not hard & set(result.turn.item_ids)
    assert ("as being for children" if locale == "en" else "아이들이 볼 만한") in said(result)
    assert chat("a war film" if locale == "en" else "전쟁 영화 보여 줘").turn.item_ids


@pytest.mark.parametrize("locale", ["en", "ko"])
def test_a_category_is_not_met_by_another_fact_of_the_same_name(locale: str, tmp_path: Path):
    items = [
        replace(one, facts=(*one.facts, "topic: Children" if locale == "en" else "소재: 가족"))
        if one.item_id[1] == "4"
        else one
        for one in items_of(locale)
    ]
    recommender = Recommender.from_catalogue(
        items, model=None, ranker="bm25", retrieval=RETRIEVAL, folder=tmp_path
    )
    chat = Chat(recommender, ChatCatalogue(recommender.items, recommender.titles["movies"], {}))
    assert [one[1] for one in chat("for my kids" if locale == "en" else "가족이랑 볼 거").turn.item_ids] == [
        "5"
    ]


@pytest.mark.parametrize(
    ("locale", "said_of_time", "note"),
    [("en", "I have two hours", "how long"), ("ko", "두 시간 정도 있어", "걸리는 시간")],
)
def test_what_the_catalogue_does_not_say_is_told_once(
    recommenders: dict[str, Recommender], locale: str, said_of_time: str, note: str
):
    chat = Chat(recommenders[locale], shelf(locale))
    assert note in said(chat(said_of_time))
    assert note not in said(chat("a drama" if locale == "en" else "드라마 추천해 줘"))


@pytest.mark.parametrize(
    ("locale", "asked", "missing"),
    [
        ("en", "who is in Ember?", "who is in it"), ("en", "how long is Ember?", "how long it takes"),
        ("ko", "밀밭은 누가 나와?", "누가 나오는지는"), ("ko", "밀밭은 몇 분이야?", "걸리는 시간은"),
    ],
)  # fmt: skip
def test_what_is_asked_of_an_item_and_stands_nowhere_is_said_to_be_missing(
    recommenders: dict[str, Recommender], locale: str, asked: str, missing: str
):
    chat = Chat(recommenders[locale], shelf(locale))
    assert missing in said(chat(asked))
    made = said(chat("who directed Ember?" if locale == "en" else "밀밭 감독이 누구야?"))
    assert ("Bea Lund" if locale == "en" else "백이담") in made and missing not in made


@pytest.mark.parametrize(
    ("locale", "asked", "name"),
    [("en", 'do you have "Tin Whistle"?', '"Tin Whistle"'), ("ko", '"양철 피리" 있어?', '"양철 피리"')],
)
def test_a_title_that_the_catalogue_lacks_is_said_to_be_unknown(
    recommenders: dict[str, Recommender], locale: str, asked: str, name: str
):
    chat = Chat(recommenders[locale], shelf(locale))
    told = chat(asked).sentences[0].text
    assert name in told and ("nothing called" if locale == "en" else "목록에 없는") in told


@pytest.mark.parametrize(
    ("locale", "loved", "forget", "kept", "gone"),
    [
        ("en", "I loved Ember and Red Dust", "forget that I loved Red Dust", "Ember", "Red Dust"),
        ("ko", "밀밭이랑 붉은 먼지 재밌게 봤어", "붉은 먼지 좋아한다는 거 잊어 줘", "밀밭", "붉은 먼지"),
    ],
)
def test_what_is_kept_does_not_hold_the_words_of_what_was_forgotten(
    recommenders: dict[str, Recommender], locale: str, loved: str, forget: str, kept: str, gone: str
):
    chat = Chat(recommenders[locale], shelf(locale))
    chat(loved)
    result = chat(forget)
    assert [kept in fact.value for fact in result.facts] == [True]
    assert not any(gone in fact.quote for fact in result.facts)
    assert any(kept in one.text and gone not in one.text for one in result.sentences[1:])


def test_all_that_is_forgotten_is_named(english: Chat):
    for name in ("westerns", "horror", "musicals", "war films", "dramas", "romances", "thrillers"):
        english(f"I hate {name}")
    told = said(english("forget everything"))
    assert all(f'"I hate {name}"' in told for name in ("westerns", "dramas", "thrillers"))


@pytest.mark.parametrize(
    ("locale", "messages", "part"),
    [
        ("en", ("a drama", "the second one sounds good"), "Enjoy "),
        ("en", ("a drama", "thanks"), "welcome"), ("en", ("a drama", "good night"), "Goodbye"),
        ("ko", ("드라마 추천해 줘", "두 번째 거 좋네"), "즐거운 시간"),
        ("ko", ("드라마 추천해 줘", "고마워"), "별말씀"),
        ("ko", ("드라마 추천해 줘", "안녕히 계세요"), "안녕히 가세요"),
    ],
)  # fmt: skip
def test_gratitude_approval_and_farewells_are_answered_each_in_its_way(
    recommenders: dict[str, Recommender], locale: str, messages: tuple[str, ...], part: str
):
    chat = Chat(recommenders[locale], shelf(locale))
    for text in messages:
        result = chat(text)
    assert part in said(result)


def test_the_newest_and_the_oldest_come_first(english: Chat, korean: Chat):
    assert english("the newest films").turn.item_ids[0] == "e5"
    assert english("old comedies").turn.item_ids == ("e3", "e7")
    assert korean("오래된 거 보여 줘").turn.item_ids[0] == "k2"
    assert "1990년대" in said(korean("1990년대 영화 추천해 줘"))


def test_a_year_in_the_title_counts_where_the_catalogue_has_none(tmp_path: Path):
    items = [replace(one, year=None) for one in items_of("en")]
    recommender = Recommender.from_catalogue(
        items, model=None, ranker="bm25", retrieval=RETRIEVAL, folder=tmp_path
    )
    chat = Chat(recommender, ChatCatalogue(recommender.items, recommender.titles["movies"], {}))
    result = chat("films from the 90s")
    assert set(result.turn.item_ids) == {"e1", "e6"} and '"Harbour Lights" (1994)' in said(result)


def test_others_come_before_what_is_liked_and_was_shown(english: Chat):
    first = english("I like comedies").turn.item_ids
    assert not set(first) & set(english("something else").turn.item_ids)
    assert set(first) & set(english("recommend something").turn.item_ids)


def test_what_was_recommended_first_is_found_again(english: Chat):
    first = english("a western").turn.item_ids
    english("a drama")
    assert english("what was the first film you suggested?").turn.focus == first[0]


def test_a_genre_in_the_other_language_is_met_and_the_guess_is_said(english: Chat):
    """The catalogue says Horror and Comedy; the visitor says 공포 and 코미디."""
    told = said(english("공포는 못 봐"))
    assert "공포(Horror)" in told and "긴" not in told
    found = english("코미디 추천해 줘")
    assert set(found.turn.item_ids) == {"e3", "e7"} and "코미디(Comedy)" in said(found)
    assert "e4" not in english("아무거나 추천해 줘").turn.item_ids


def test_english_names_find_a_korean_catalogue(korean: Chat):
    found = korean("recommend a science fiction film")
    assert found.turn.item_ids == ("k5",) and "Science Fiction(SF)" in said(found)
