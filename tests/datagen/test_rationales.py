"""Rationales: how a teacher's text becomes the response that its prompt asks for."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rectune.core.catalogue import Catalogue
from rectune.core.types import Item, Locale, Prompt
from rectune.prompts.answers import closing, ranking, read_answer
from rectune.prompts.responses import ranked_titles, respond, whole_sentences

FILMS = ["Up", "Aliens", "Alien", "Heat", "기생충"]
CATALOGUE = Catalogue({("movies", title): Item("movies", title, title) for title in FILMS})
DIRECT = Prompt(
    "p", "movies", "passive", "direct", "en", "train", "u", "s", "i", ("a",), (), "Alien", "", "x", "movies"
)
LISTWISE = replace(DIRECT, form="listwise", candidates=tuple(FILMS))


def test_a_response_that_does_not_name_the_item_gets_our_closing_line() -> None:
    response, by = respond("You like space. You like dread.", ["Alien"], DIRECT, cut=False)
    assert response == "You like space. You like dread.\nMy recommendation: Alien" and by == "template"


@pytest.mark.parametrize(
    "ending", [". My recommendation: Alien", ".\n**My recommendation:** Alien.", ". 추천: 'Alien'"]
)
def test_the_closing_words_of_a_teacher_become_a_line_of_their_own(ending: str) -> None:
    assert respond(f"You like dread{ending}", ["Alien"], DIRECT, cut=False) == (
        "You like dread.\nMy recommendation: Alien",
        "model",
    )


@pytest.mark.parametrize("named", ["Aliens", "Alien, and more", "Alien. It is", ""])
def test_a_closing_line_with_anything_but_the_title_is_replaced(named: str) -> None:
    response = respond(f"You like dread. My recommendation: {named}", ["Alien"], DIRECT, cut=False)
    assert response == ("You like dread.\nMy recommendation: Alien", "template")


def test_the_half_sentence_at_the_token_limit_is_cut() -> None:
    assert respond("One. Two and", ["Alien"], DIRECT, cut=True)[0] == "One.\nMy recommendation: Alien"
    assert respond("One. Hence my recommendation: Alien", ["Alien"], DIRECT, cut=False)[0].startswith(
        "One.\n"
    )
    assert whole_sentences("no full stop at all") == "no full stop at all"


def test_a_listwise_response_ranks_the_target_first_and_the_others_as_they_were_shown() -> None:
    titles = ranked_titles(LISTWISE, CATALOGUE)
    assert titles == ["Alien", "Up", "Aliens", "Heat", "기생충"]
    text = "You like dread. Alien has it. My recommendation: Alien"
    assert respond(text, titles, LISTWISE, cut=False) == (
        "You like dread. Alien has it.\nMy ranking:\n1. Alien\n2. Up\n3. Aliens\n4. Heat\n5. 기생충",
        "template",
    )
    assert ranked_titles(DIRECT, CATALOGUE) == ["Alien"]


@pytest.mark.parametrize("form", ["direct", "listwise"])
@pytest.mark.parametrize("locale", ["en", "ko"])
@given(text=st.text(max_size=120), cut=st.booleans())
def test_whatever_a_teacher_writes_the_response_is_read_as_it_is_meant(
    form: str, locale: Locale, text: str, cut: bool
) -> None:
    prompt = replace(LISTWISE if form == "listwise" else DIRECT, locale=locale)
    titles = ranked_titles(prompt, CATALOGUE)
    response, _ = respond(text, titles, prompt, cut=cut)
    reading = read_answer(response, titles)
    assert reading.form == form and reading.items == tuple(range(len(titles)))
    assert set(reading.certainty) == {1.0}
    ending = ranking(locale, titles) if form == "listwise" else closing(locale, "Alien")
    reasons = response.removesuffix(ending)
    assert reasons != response and "\n" not in reasons.rstrip("\n")
