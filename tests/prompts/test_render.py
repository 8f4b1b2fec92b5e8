"""Prompts: they show what they should, never the target, and treat catalogue text as text."""

import itertools
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prompts.answers import closing, find_items
from prompts.render import Wording, ask, load_words, render
from prompts.teacher import query_messages, rationale_messages, rationale_opening
from rectune.catalogue import Catalogue
from rectune.types import Case, Item, Locale, with_id

ITEMS = [Item("movies", f"m{n}", f"Film number {n}", ("Drama",), "", 1990 + n) for n in range(30)]
CATALOGUE = Catalogue({(item.domain, item.item_id): item for item in ITEMS})
CASE = with_id(
    Case(
        id="",
        domain="movies",
        user="u",
        split="train",
        history=("m1", "m2", "m3"),
        target="m9",
        candidates=tuple(f"m{n}" for n in range(8, 28)),
        ordered=False,
        history_domain="movies",
    )
)
KINDS: list[Any] = list(
    itertools.product(("passive", "active"), ("direct", "listwise"), ("en", "ko"), range(6))
)


@pytest.mark.parametrize(("scenario", "form", "locale", "seed"), KINDS)
def test_a_prompt_shows_its_parts_and_hides_its_target(
    scenario: Any, form: Any, locale: Locale, seed: int
) -> None:
    prompt = render(CASE, CATALOGUE, Wording(scenario, form, locale, "quiet films", 5, seed))
    titles = [item.title for item in ITEMS]
    shown = {titles[mention.index] for mention in find_items(prompt.instruction, titles)}
    wanted = set(CATALOGUE.titles("movies", prompt.history)) | set(
        CATALOGUE.titles("movies", prompt.candidates)
    )
    assert shown == wanted
    assert ("quiet films" in prompt.instruction) == (scenario == "active")
    assert (CATALOGUE.get("movies", "m9").title in shown) == (form == "listwise")
    assert len(prompt.candidates) == (5 if form == "listwise" else 0)
    assert "{" not in prompt.system + prompt.instruction


def test_the_place_of_the_target_among_candidates_is_uniform() -> None:
    places = [0] * 5
    for seed in range(1000):
        prompt = render(CASE, CATALOGUE, Wording("passive", "listwise", "en", "", 5, seed))
        places[prompt.candidates.index("m9")] += 1
    # 200 wanted each; the standard deviation is 12.6.
    assert all(140 < count < 260 for count in places)


def test_an_active_prompt_without_a_query_is_refused() -> None:
    with pytest.raises(ValueError, match="query"):
        render(CASE, CATALOGUE, Wording("active", "direct", "en"))


@given(st.text(max_size=60), st.lists(st.text(min_size=1, max_size=20), min_size=1, max_size=3))
def test_catalogue_text_is_inserted_and_never_rendered(query: str, history: list[str]) -> None:
    hostile = [f"{{{{ 7 * 7 }}}}{title}" for title in history]
    _, instruction = ask("movies", "en", hostile, query)
    assert all(title in instruction for title in hostile) and "49" not in instruction.replace(query, "")


@pytest.mark.parametrize("locale", ["en", "ko"])
def test_every_domain_has_its_words_in_both_languages(locale: Locale) -> None:
    kinds = load_words(locale)["kinds"]
    assert set(kinds) == {"news", "music", "places", "anime", "books", "movies", "games", "goods", "other"}
    words = {"noun", "past", "matters"} | ({"one"} if locale == "en" else set())
    assert all(set(kind) == words and all(kind.values()) for kind in kinds.values())


@pytest.mark.parametrize("locale", ["en", "ko"])
def test_a_query_is_asked_for_with_seven_shots(locale: Locale) -> None:
    messages = query_messages(ITEMS[0], locale)
    assert [role for role, _ in messages] == ["system", *["user", "assistant"] * 7, "user"]
    assert ITEMS[0].title in messages[-1][1]


@pytest.mark.parametrize("locale", ["en", "ko"])
def test_a_rationale_is_asked_for_with_the_target_shown(locale: Locale) -> None:
    passive = rationale_messages(ITEMS[0], ITEMS[1:3], "", locale)[-1][1]
    active = rationale_messages(ITEMS[0], [], "quiet films", locale)[-1][1]
    assert ITEMS[0].title in passive and ITEMS[1].title in passive
    assert ITEMS[0].title in active and "quiet films" in active


@pytest.mark.parametrize("locale", ["en", "ko"])
def test_the_shots_of_an_active_rationale_end_as_a_response_should(locale: Locale) -> None:
    messages = rationale_messages(ITEMS[0], [], "quiet films", locale)
    assert [role for role, _ in messages] == ["system", *["user", "assistant"] * 3, "user"]
    assert len(rationale_messages(ITEMS[0], ITEMS[1:3], "", locale)) == 2
    for (_, question), (_, text) in zip(messages[1:-1:2], messages[2:-1:2], strict=True):
        title = text.split(closing(locale, ""))[1].strip()
        assert title in question and text.endswith(closing(locale, title))
        assert text.count(title) >= 2 and "\n" not in text


@pytest.mark.parametrize("locale", ["en", "ko"])
@pytest.mark.parametrize("choice", range(4))
def test_a_rationale_opens_with_what_is_known_of_the_person(locale: Locale, choice: int) -> None:
    passive = rationale_opening(["Heat", "Ran", "Up"], "", locale, choice)
    assert "Ran" in passive and "Up" in passive and "Heat" not in passive
    assert "quiet films" in rationale_opening([], "quiet films", locale, choice)
