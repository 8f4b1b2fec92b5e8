"""Reasons by template: what is said stands in the catalogue, and reads as a person would write it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rectune.core.types import Item, Locale
from rectune.prompts.in_common import most_in_common
from rectune.prompts.query_words import query_words
from rectune.prompts.template_reasons import quoted, template_reason
from rectune.prompts.titles import split_words


def film(title: str, categories: str = "", year: int | None = None, *facts: str, text: str = "") -> Item:
    named = tuple(filter(None, categories.split("|")))
    return Item("movies", title, title, named, text, year, facts)


ALIEN = film("Alien (1979)", "Horror|Sci-Fi", 1979, "director: Ridley Scott")
MATRIX = film("Matrix, The (1999)", "Action|Sci-Fi|Thriller", 1999)
MONKEYS = film(
    "Twelve Monkeys (1995)", "Mystery|Sci-Fi|Thriller", 1995, text="A convict is sent back in time. And more."
)
RUNNER = film("Blade Runner (1982)", "Sci-Fi", 1982, "director: Ridley Scott")
COMEDY = film("A Comedy", "Comedy", 1993)


@pytest.mark.parametrize(
    ("item", "liked", "wanted"),
    [
        (
            MONKEYS,
            [ALIEN, MATRIX],
            'You liked "The Matrix". '
            '"Twelve Monkeys" is a film of the same kind: Sci-Fi and Thriller. '
            "It is from 1995, and listed under Mystery too. "
            'Its description: "A convict is sent back in time."',
        ),
        (
            RUNNER,
            [ALIEN],
            'You liked "Alien". "Blade Runner" is by Ridley Scott, like "Alien". '
            "It is a film of the same kind: Sci-Fi. It is from 1982.",
        ),
        (
            COMEDY,
            [ALIEN, MATRIX],
            'You liked "The Matrix". "A Comedy" is a film of the 1990s, as "The Matrix" is. '
            "It is listed under Comedy.",
        ),
        (
            COMEDY,
            [ALIEN],
            'You liked "Alien". "A Comedy" is a film from 1993, listed under Comedy. '
            "It ranked high for you, though the catalogue shows nothing in common with what you liked.",
        ),
        (
            film("All", "Horror|Sci-Fi"),
            [film("Dune", "Sci-Fi|Horror"), MATRIX, ALIEN],
            'You liked "Dune" and "Alien". "All" is a film of the same kind as both: Horror and Sci-Fi.',
        ),
        (
            film("Kettle", "", None, "price: 12.50", "city: Busan"),
            [film("Lamp", "", None, "price: 12.50", "city: Busan")],
            'You liked "Lamp". "Kettle" has the same city as "Lamp": Busan. Its price: 12.50.',
        ),
        (
            film("Kettle", "", None, "price: 12.50", "city: Busan"),
            [film("Lamp")],
            'You liked "Lamp". "Kettle" is a film. '
            "It ranked high for you, though the catalogue shows nothing in common with what you liked. "
            "Its price: 12.50. Its city: Busan.",
        ),
        (
            film("Bare"),
            [ALIEN],
            'You liked "Alien". "Bare" ranks high for that; no more is known of it here.',
        ),
    ],
)
def test_what_item_and_history_share_is_said(item: Item, liked: list[Item], wanted: str) -> None:
    assert template_reason(item, liked, "", "en") == wanted


def test_korean_sentences_have_the_right_particles() -> None:
    liked = [
        film("에이리언", "공포|SF", 1979, "감독: 리들리 스콧"),
        film("Se7en", "스릴러", 1995),
    ]
    runner = film("블레이드 러너", "SF", 1982, "감독: 리들리 스콧")
    assert template_reason(runner, liked, "", "ko") == (
        '"에이리언"을 좋아하셨죠. "블레이드 러너"도 "에이리언"처럼 리들리 스콧 감독의 영화예요. '
        "SF로 분류되는 영화예요. 1982년에 나왔어요."
    )
    zodiac = film("1987", "스릴러", 2017)
    assert template_reason(zodiac, liked, "", "ko") == (
        '"Se7en"을 좋아하셨죠. "1987"도 스릴러로 분류되는 영화예요. 2017년에 나왔어요.'
    )


def test_a_query_is_answered_with_its_words() -> None:
    asked = "a convict thriller"
    words = query_words(MONKEYS, asked)
    assert words == ["convict", "thriller"]
    assert template_reason(MONKEYS, [], asked, "en", words=words) == (
        'You asked for "a convict thriller". '
        '"Twelve Monkeys" is a film from 1995, listed under Thriller, Mystery and Sci-Fi. '
        'What is known of it has your words "convict" and "thriller". '
        'Its description: "A convict is sent back in time."'
    )
    assert '시간 여행"으로 검색하셨죠.' in template_reason(MONKEYS, [], "시간 여행", "ko")


def test_the_latest_of_equal_items_is_named_and_a_maker_counts_more_than_a_category() -> None:
    one, two = film("One", "Comedy"), film("Two", "Comedy")
    assert [found.liked.title for found in most_in_common(COMEDY, [one, two])] == ["Two", "One"]
    by = [film("By", "", None, "director: Ridley Scott"), film("Kind", "Sci-Fi")]
    assert [found.liked.title for found in most_in_common(RUNNER, by)] == ["By"]


def test_other_wordings_say_the_same() -> None:
    texts = {template_reason(MONKEYS, [ALIEN], "", "en", wording) for wording in range(6)}
    assert len(texts) == 2 and all('"Alien"' in text and "Sci-Fi" in text for text in texts)


WORDS = st.text(min_size=1, max_size=20)
ITEMS = st.builds(
    Item,
    st.sampled_from(["movies", "books", "of our own"]),
    st.just("x"),
    WORDS,
    st.lists(WORDS, max_size=4).map(tuple),
    st.text(max_size=60),
    st.none() | st.integers(1, 2100),
    st.lists(WORDS.map(lambda word: f"director: {word}"), max_size=2).map(tuple),
)


@given(ITEMS, st.lists(ITEMS, max_size=3), st.text(max_size=20), st.sampled_from(["en", "ko"]))
def test_any_texts_make_one_line_of_which_nothing_is_executed(
    item: Item, liked: list[Item], query: str, locale: Locale
) -> None:
    text = template_reason(item, liked, query.strip(), locale)
    assert text and "\n" not in text


def test_templates_in_a_title_stay_as_they_are() -> None:
    odd = film("{{ 7 * 7 }}", "{% raw %}")
    assert "{{ 7 * 7 }}" in template_reason(odd, [], "{{ 1 + 1 }}", "en")


def test_a_title_of_signs_alone_is_quoted() -> None:
    assert quoted("!!!") == '"!!!"' and quoted("Postman, The (1994)") == '"The Postman"'
    assert quoted("(1994)") == '"(1994)"'
    assert len(split_words(quoted("word " * 100))) < 25


def test_two_works_of_one_title_are_told_apart_by_their_years() -> None:
    old, new = film("Heat (1986)", "Action", 1986), film("Heat (1995)", "Action", 1995)
    assert template_reason(new, [old], "", "en").startswith('You liked "Heat" (1986). "Heat" (1995) is')


def test_korean_words_of_a_query_are_nouns_without_particles() -> None:
    pytest.importorskip("kiwipiepy")
    train = Item("movies", "t", "부산행", ("공포",), "좀비가 퍼진 가운데 달리는 열차의 이야기.")
    assert query_words(train, "좀비가 나오는 영화 이야기") == ["좀비"]
    assert query_words(train, "열차를 배경으로 한 공포") == ["열차", "공포"]
    first = Item(
        "movies", "f", "사진관", ("멜로",), "담담한 사랑 이야기. 복수극.", None, ("소재: 남북 분단",)
    )
    assert query_words(first, "첫사랑 이야기") == [] and query_words(first, "복수극") == ["복수극"]
    assert query_words(first, "남북 분단을 다룬 영화") == ["남북 분단"]


def test_where_no_word_of_the_query_stands_only_the_search_is_named() -> None:
    assert template_reason(MONKEYS, [], "a quiet comedy", "en").endswith(
        'It came high in the search for that. Its description: "A convict is sent back in time."'
    )
    assert template_reason(film("Bare"), [], "a quiet comedy", "en") == (
        'You asked for "a quiet comedy". "Bare" came first in the search; no more is known of it here.'
    )


def test_what_several_values_of_a_fact_have_in_common_comes_first() -> None:
    one = film("타짜", "드라마", None, "출연: 조승우, 유해진")
    two = film("파묘", "드라마", None, "출연: 최민식, 유해진")
    said = template_reason(two, [one], "", "ko")
    assert '"파묘"에도 "타짜"처럼 유해진이 나와요. 드라마로 분류되는 영화예요.' in said


def test_the_kind_that_all_items_are_is_no_reason() -> None:
    hole = Item("news", "Black hole", "Black hole", ("news", "science"))
    webb, fire = (
        Item("news", title, title, ("news", told)) for title, told in (("Webb", "science"), ("Fire", "world"))
    )
    assert template_reason(webb, [hole], "", "en").endswith("of the same kind: science.")
    assert template_reason(fire, [hole], "", "en") == (
        'You liked "Black hole". "Fire" is a news article, listed under world. '
        "It ranked high for you, though the catalogue shows nothing in common with what you liked."
    )


def test_the_sentence_with_a_word_of_the_query_is_quoted_whatever_its_case() -> None:
    told = "A long journey by night. It ends at the house of Agatha, who waits."
    book = film("Night Road", "Crime", text=told)
    words = query_words(book, "Agatha")
    assert words == ["Agatha"]
    said = template_reason(book, [], "Agatha", "en", words=words)
    assert said.endswith('Its description: "It ends at the house of Agatha, who waits."')
