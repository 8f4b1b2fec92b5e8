"""What a model may say of a person: what was found, in its own words, and nothing else."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest

from rectune.core.settings import SamplingConfig
from rectune.core.types import Locale
from rectune.dialogue.knowledge import Persona, UserKnowledge
from rectune.dialogue.model_wording import Writer, worded_by_model
from rectune.dialogue.persona import PersonaMaker
from rectune.dialogue.traits import CatalogueTraits
from rectune.inference.requests import GenerationRequest, GenerationResult
from rectune.prompts.answers import find_items
from rectune.prompts.title_index import TitleIndexes
from rectune.prompts.title_matching import SURE
from tests.dialogue.people import of_kind, works

HORROR, ROMANCE = 0, 5
MAKERS: dict[Locale, PersonaMaker] = {
    locale: PersonaMaker(CatalogueTraits.of(works(locale)), locale) for locale in ("en", "ko")
}
FAN = UserKnowledge(liked=of_kind(HORROR, 8))
TRUE: dict[Locale, str] = {
    "en": "as 8 of the 8 films in the catalogue that you liked are Horror films.",
    "ko": "무척 좋아하시고, 좋아하신 영화 8개 중 8개가 공포라서 전체의 비율보다 높아요.",
}


class Titles:
    """The titles of the catalogue."""

    def __init__(self, locale: Locale) -> None:
        self._known = TitleIndexes(works(locale))

    def mentioned(self, text: str, domain: str) -> list[str]:
        index = self._known[domain]
        return [index.titles[one.index] for one in find_items(text, index) if one.certainty >= SURE]


class Model:
    """Says what it is told to, and keeps what it was asked."""

    def __init__(self, said: str | Callable[[GenerationRequest], str]) -> None:
        self.said, self.asked = said, list[GenerationRequest]()

    def __call__(self, requests: Sequence[GenerationRequest]) -> list[GenerationResult]:
        self.asked += requests
        texts = [self.said if isinstance(self.said, str) else self.said(one) for one in requests]
        return [
            GenerationResult(one.id, f" {text}", "stop", 9, 9)
            for one, text in zip(requests, texts, strict=True)
        ]


def worded(
    said: str | Callable[[GenerationRequest], str], locale: Locale = "en", knowledge: UserKnowledge = FAN
) -> tuple[Persona, Persona, Model]:
    """The persona from templates, what became of it, and the model."""
    maker, model = MAKERS[locale], Model(said)
    plain = maker.infer(Persona(), knowledge)
    writer = Writer(model, Titles(locale), SamplingConfig())
    return plain, worded_by_model(plain, knowledge, maker.catalogue, writer, locale), model


@pytest.mark.parametrize("locale", ["en", "ko"])
def test_a_true_sentence_goes_out_in_the_models_words(locale: Locale) -> None:
    plain, persona, model = worded(TRUE[locale], locale)
    (claim,) = persona.claims
    assert claim.worded_by == "model" and claim.text != plain.claims[0].text
    assert claim.text.startswith(model.asked[0].prefill)
    assert replace(claim, text="", worded_by="template") == replace(plain.claims[0], text="")
    assert persona.version == plain.version + 1


@pytest.mark.parametrize(
    "said",
    [
        "but you avoid Horror films in the catalogue.",
        "and 9 of the 10 films that you liked are Horror films.",
        "and Romance too, as the films that you liked in the catalogue are.",
        "since Stephen King wrote wonderful gloomy castles for lonely bakers.",
        'as "Title 7" in the catalogue is Horror, which you liked.',
        "as you watched with your children in 8 of the films you liked.",
        "Horror Horror Horror Horror Horror Horror Horror Horror Horror Horror.",
        "so",
        "",
        "왜냐하면 공포 영화를 좋아하시기 때문이에요.",
    ],
)
def test_what_was_not_found_does_not_go_out(said: str) -> None:
    plain, persona, _ = worded(said)
    assert persona is plain


def test_what_is_avoided_is_not_turned_into_what_is_liked() -> None:
    knowledge = UserKnowledge(disliked=frozenset(of_kind(ROMANCE, 8)))
    plain, persona, _ = worded(
        "since you liked 8 of the 8 Romance films in the catalogue.", knowledge=knowledge
    )
    assert persona is plain
    told = "as 8 of the 8 films in the catalogue that you did not like are Romance films."
    assert worded(told, knowledge=knowledge)[1].claims[0].worded_by == "model"


def test_a_portrait_is_three_sentences_that_all_pass() -> None:
    three = " ".join(
        [
            "as 8 of the 8 films that you liked are.",
            "Horror is often in your catalogue.",
            "You liked 8 Horror films.",
        ]
    )

    def said(request: GenerationRequest) -> str:
        return three if "three sentences" in request.messages[-1][1] else ""

    plain, persona, _ = worded(said)
    assert persona.worded_by == "model" and len(persona.portrait) == 3
    assert persona.claims == plain.claims
    wrong = three.replace("often", "never")
    plain, persona, _ = worded(lambda one: wrong if "three sentences" in one.messages[-1][1] else "")
    assert persona is plain


def test_a_model_that_is_not_trusted_in_a_language_is_not_asked() -> None:
    maker, model = MAKERS["ko"], Model(TRUE["ko"])
    plain = maker.infer(Persona(), FAN)
    writer = Writer(model, Titles("ko"), SamplingConfig(), frozenset({"ko"}))
    assert worded_by_model(plain, FAN, maker.catalogue, writer, "ko") is plain
    assert model.asked == []


def test_the_model_is_told_the_finding_and_its_evidence_and_the_profile_only_if_there_is_one() -> None:
    _, _, model = worded(TRUE["en"])
    asked = model.asked[0].messages[-1][1]
    assert "Title 70 (Horror)" in asked and "8 of the 8" in asked and "of themselves" not in asked
    told = worded(TRUE["en"], knowledge=replace(FAN, profile=["20s", "baker"]))[2].asked
    assert all("20s; baker" in one.messages[-1][1] for one in told)
    assert [role for role, _ in model.asked[0].messages] == ["system", "user"], (
        "the chat template is the model's"
    )


def test_the_models_sentence_stays_as_long_as_the_claim_rests_on_the_same() -> None:
    _, persona, _ = worded(TRUE["en"])
    maker = MAKERS["en"]
    assert maker.infer(persona, FAN).claims == persona.claims
    kept = maker.keep(persona, persona.claims[0].id, FAN)
    assert kept.claims[0].worded_by == "model" and kept.claims[0].state == "kept"
    more = maker.infer(persona, replace(FAN, liked=of_kind(HORROR, 9)))
    assert more.claims[0].worded_by == "template"


def test_what_a_person_wrote_is_not_worded_again() -> None:
    maker, model = MAKERS["en"], Model(TRUE["en"])
    persona = maker.add(Persona(), "gentle horror", UserKnowledge())
    writer = Writer(model, Titles("en"), SamplingConfig())
    again = worded_by_model(persona, UserKnowledge(), maker.catalogue, writer, "en")
    assert again.claims == persona.claims and len(model.asked) == 1, "the portrait alone is asked for"
