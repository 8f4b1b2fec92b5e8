"""What is read out of what people say of their taste, in both languages."""

from __future__ import annotations

import pytest

from rectune.core.types import Item, Locale
from rectune.dialogue.knowledge import ChatFact, FactKind, UserKnowledge
from rectune.dialogue.said import read_said, said_claims
from rectune.dialogue.traits import CatalogueTraits
from tests.dialogue.people import works

CATALOGUES: dict[Locale, CatalogueTraits] = {
    locale: CatalogueTraits.of(works(locale)) for locale in ("en", "ko")
}


def read(text: str, locale: Locale = "en") -> list[tuple[str, str, str]]:
    return [(one.stance, one.aspect, one.value) for one in read_said(text, CATALOGUES[locale])]


@pytest.mark.parametrize(
    ("text", "claims"),
    [
        ("horror", [("likes", "category", "Horror")]),
        ("I like WESTERNS", [("likes", "category", "Western")]),
        ("comedies and musicals", [("likes", "category", "Comedy"), ("likes", "category", "Musical")]),
        ("no horror", [("avoids", "category", "Horror")]),
        ("anything but romance", [("avoids", "category", "Romance")]),
        ("I can't stand war or sport", [("avoids", "category", "War"), ("avoids", "category", "Sport")]),
        ("not horror but comedy", [("avoids", "category", "Horror"), ("likes", "category", "Comedy")]),
        ("comedy but not horror", [("likes", "category", "Comedy"), ("avoids", "category", "Horror")]),
        ("not only horror", [("likes", "category", "Horror")]),
        ("films by Maker3", [("likes", "maker", "Maker3")]),
        ("films directed by Maker3", [("likes", "maker", "Maker3")]),
        ("the 1960s", [("likes", "decade", "1960s")]),
        ("30s, 60s", [("likes", "taste", "30s"), ("likes", "decade", "1960s")]),
        ("dragons", [("likes", "word", "dragon")]),
        ("something gentle", [("likes", "taste", "something gentle")]),
        ("nothing gory", [("avoids", "taste", "nothing gory")]),
        ("gentle horror", [("likes", "category", "Horror"), ("likes", "taste", "gentle horror")]),
        ("horrors!", [("likes", "category", "Horror")]),
        ("warm", [("likes", "taste", "warm")]),
        ("", []),
        ("?!, …", []),
    ],
)
def test_english(text: str, claims: list[tuple[str, str, str]]) -> None:
    assert read(text) == claims


@pytest.mark.parametrize(
    ("text", "claims"),
    [
        ("공포", [("likes", "category", "공포")]),
        ("공포영화를 좋아해요", [("likes", "category", "공포")]),
        ("코미디랑 뮤지컬", [("likes", "category", "코미디"), ("likes", "category", "뮤지컬")]),
        ("공포는 싫어", [("avoids", "category", "공포")]),
        ("공포 말고 코미디", [("avoids", "category", "공포"), ("likes", "category", "코미디")]),
        ("로맨스 빼고", [("avoids", "category", "로맨스")]),
        (
            "전쟁은 안 좋아해요, 범죄는 좋아요",
            [("avoids", "category", "전쟁"), ("likes", "category", "범죄")],
        ),
        ("1960년대", [("likes", "decade", "1960s")]),
        ("형사가 나오는 이야기", [("likes", "word", "형사")]),
        ("무서운 것", [("likes", "taste", "무서운 것")]),
        ("잔인한 건 싫어요", [("avoids", "taste", "잔인한 건 싫어요")]),
    ],
)
def test_korean(text: str, claims: list[tuple[str, str, str]]) -> None:
    assert read(text, "ko") == claims


def fact(kind: FactKind, value: str, number: int, quote: str = "", item: str = "") -> ChatFact:
    return ChatFact(kind, value, quote or f"I said {value}", number, number, item)


def test_facts_of_chats_are_claims_with_the_words_as_they_were_said() -> None:
    facts = [
        fact("like", "Horror", 1, "I love horror"),
        fact("avoid", "blood", 2),
        fact("want", "Comedy", 3),
        fact("mood", "tired", 4),
        fact("seen", "Title 3", 5, item="w3"),
        fact("like", "Title 4", 6, item="w4"),
    ]
    said = said_claims(UserKnowledge(facts=facts), CATALOGUES["en"])
    assert [(one.stance, one.aspect, one.value, one.quote) for one in said] == [
        ("likes", "category", "Comedy", "I said Comedy"),
        ("avoids", "taste", "blood", "I said blood"),
        ("likes", "category", "Horror", "I love horror"),
    ]


def test_of_two_sayings_the_latest_counts() -> None:
    knowledge = UserKnowledge(tastes=["horror", "war"], facts=[fact("avoid", "Horror", 1)])
    said = said_claims(knowledge, CATALOGUES["en"])
    assert [(one.stance, one.value) for one in said] == [("avoids", "Horror"), ("likes", "War")]


def test_what_is_said_is_kept_on_one_line_of_limited_length() -> None:
    (claim,) = read_said("gentle\x00\u202e words " * 100, CATALOGUES["en"])
    assert len(claim.quote) <= 200 and "\u202e" not in claim.quote and claim.quote.isprintable()


def test_a_decade_that_a_fact_has_too_is_one_claim() -> None:
    items = [Item("movies", f"{n}", f"Film {n}", (), "", 1994, ("setting: 1990s",)) for n in range(5)]
    (claim,) = read_said("films of the 1990s", CatalogueTraits.of(items))
    assert (claim.aspect, claim.value) == ("decade", "1990s")
