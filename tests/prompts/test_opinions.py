"""How opinions of an item are told to teachers, in reasons and in the index: as opinions of somebody."""

import pytest

from rectune.core.types import Item, Locale, opinion_fact
from rectune.prompts.teacher_prompts import facts, query_messages, rationale_messages
from rectune.recommender.explanations import ExplanationRequest, plain_sentence
from rectune.retrieval.chunks import chunks_of, head_of

SAID = ("It boils 'quickly' every day.", "물이 아주 빨리 끓어서 만족합니다.")
LAMP = Item("goods", "2", "Lamp")
KETTLE = Item("goods", "1", "Kettle", ("Kitchen",), "It holds a litre.", 2020, ("price: 3",))
PRAISED = Item("goods", "1", "Kettle", ("Kitchen",), "It holds a litre.", 2020,
               ("price: 3", *map(opinion_fact, SAID)))  # fmt: skip
BY: dict[Locale, str] = {"en": "Opinions of buyers, not facts", "ko": "구매자 의견(사실이 아님)"}


@pytest.mark.parametrize("locale", ["en", "ko"])
def test_teachers_are_told_whose_opinions_they_are(locale: Locale) -> None:
    line = f'Kettle (Kitchen, 2020, price: 3): It holds a litre. {BY[locale]}: "{SAID[0]}"; "{SAID[1]}"'
    assert facts(PRAISED, locale) == line
    assert query_messages(PRAISED, locale)[-1] == ("user", line)
    (_, system), (_, question) = rationale_messages(PRAISED, [LAMP], "", locale)
    (_, plain), (_, bare) = rationale_messages(KETTLE, [LAMP], "", locale)
    assert line in question and system.startswith(plain)
    assert {"en": "Tell it only as that person's opinion", "ko": "그 사람의 의견이라고 밝혀서만"}[
        locale
    ] in system
    assert "opinion" not in bare.casefold() and "의견" not in bare


def test_readers_visitors_and_others_have_their_own_word() -> None:
    told = [
        facts(Item(domain, "1", "One", facts=(opinion_fact(SAID[0]),)), "en") for domain in ("books", "x")
    ]
    assert told == [f'One. Opinions of {who}, not facts: "{SAID[0]}"' for who in ("readers", "users")]


def test_an_opinion_is_told_in_full_and_three_at_most() -> None:
    long = [f"Opinion number {n} {'has many words ' * 11}." for n in range(4)]
    line = facts(Item("books", "1", "One", facts=tuple(map(opinion_fact, long))), "en")
    assert all(each in line for each in long[:3]) and long[3] not in line


@pytest.mark.parametrize("locale", ["en", "ko"])
def test_a_plain_sentence_tells_one_as_an_opinion_and_none_as_the_catalogues_word(locale: Locale) -> None:
    (chunk,) = chunks_of(PRAISED)
    said = plain_sentence(ExplanationRequest(PRAISED, (LAMP,), "", locale, chunk.text))
    assert said.endswith(f'{BY[locale]}: "{SAID[0]}"') and SAID[1] not in said
    assert said.count(SAID[0]) == 1 and 'opinion: "' not in said


def test_opinions_are_searched_but_are_no_part_of_what_an_item_is() -> None:
    assert head_of(PRAISED) == head_of(KETTLE) == "Kettle (2020). Kitchen. price: 3"
    (chunk,) = chunks_of(PRAISED)
    assert chunk.text.startswith("Kettle (2020). Kitchen. price: 3. It holds a litre. opinion: ")
    assert all(f'opinion: "{each}"' in chunk.text for each in SAID)
