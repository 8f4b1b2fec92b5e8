"""Claims change what is recommended at once."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rectune.core.types import Locale
from rectune.dialogue.claim_ranking import claim_ranking, left_out, query_of, strength
from rectune.dialogue.knowledge import Claim, Persona, UserKnowledge
from rectune.dialogue.persona import PersonaMaker
from rectune.dialogue.traits import CatalogueTraits
from rectune.rankers.base import ScoredItem, fit_ranker
from rectune.rankers.domain_data import DomainData
from rectune.recommender.answering import CatalogueAnswers
from rectune.recommender.options import RecommendOptions
from rectune.recommender.requests import UserRequest
from tests.dialogue.people import CATEGORIES, KINDS, anything, of_kind, works

HORROR, COMEDY, ROMANCE = 0, 2, 5
CATALOGUE = CatalogueTraits.of(works())
EN = PersonaMaker(CATALOGUE)
EVENLY = [ScoredItem(item, 1.0 - at / 200) for at, item in enumerate(anything(5, 200))]
FAN = UserKnowledge(liked=of_kind(HORROR, 8), disliked=frozenset(of_kind(ROMANCE, 6)))


def kinds(ranked: list[ScoredItem]) -> list[int]:
    return [int(one.item_id[1:]) % KINDS for one in ranked]


def ids(ranked: list[ScoredItem]) -> list[str]:
    return [one.item_id for one in ranked]


def mean_place(ranked: list[ScoredItem], kind: int) -> float:
    places = [at for at, one in enumerate(kinds(ranked)) if one == kind]
    return sum(places) / len(places)


def test_what_is_liked_rises_and_what_seems_avoided_sinks_but_stays() -> None:
    persona = EN.infer(Persona(), FAN)
    again = claim_ranking(EVENLY, persona, CATALOGUE)
    assert sorted(ids(again)) == sorted(ids(EVENLY))
    assert mean_place(again, HORROR) < mean_place(EVENLY, HORROR)
    assert mean_place(again, ROMANCE) > mean_place(EVENLY, ROMANCE)
    assert [one.score for one in again] == sorted((one.score for one in again), reverse=True)


def test_removing_a_claim_changes_the_first_five() -> None:
    persona = EN.infer(Persona(), FAN)
    horror = next(one for one in persona.claims if one.value == "Horror")
    before = claim_ranking(EVENLY, persona, CATALOGUE)[:5]
    after = claim_ranking(EVENLY, EN.remove(persona, horror.id, FAN), CATALOGUE)[:5]
    assert ids(before) != ids(after)
    assert kinds(before).count(HORROR) > kinds(after).count(HORROR)


def test_an_edit_acts_at_once() -> None:
    persona = EN.infer(Persona(), FAN)
    horror = next(one for one in persona.claims if one.value == "Horror")
    comedy = EN.edit(persona, horror.id, "Comedy", FAN)
    assert kinds(claim_ranking(EVENLY, comedy, CATALOGUE)[:5]).count(COMEDY) > kinds(EVENLY[:5]).count(COMEDY)
    never = EN.edit(persona, horror.id, "no horror", FAN)
    assert HORROR not in kinds(claim_ranking(EVENLY, never, CATALOGUE))


def test_what_a_person_says_that_they_avoid_is_left_out() -> None:
    said = EN.infer(Persona(), replace(FAN, tastes=["no romance"]))
    assert left_out(said, CATALOGUE) == frozenset(of_kind(ROMANCE, 20))
    assert ROMANCE not in kinds(claim_ranking(EVENLY, said, CATALOGUE))
    assert left_out(EN.infer(Persona(), FAN), CATALOGUE) == frozenset(), "concluded only"
    removed = EN.remove(said, said.claims[0].id, FAN)
    assert left_out(removed, CATALOGUE) == frozenset()


def test_of_free_words_all_must_stand_in_what_is_left_out_and_each_counts_for_what_is_liked() -> None:
    avoid = Persona((Claim("y", "avoids", "taste", "haunted Maker4", quote="haunted Maker4"),))
    assert left_out(avoid, CATALOGUE) == frozenset({"w40"}), "all of its words stand in one"
    like = Persona((Claim("x", "likes", "taste", "haunted rains", quote="haunted rains"),))
    again = claim_ranking(EVENLY, like, CATALOGUE, 0.9)
    texts = [CATALOGUE.items[one.item_id].description for one in again[:20]]
    assert all("haunted" in text or "rains" in text for text in texts)


def test_without_claims_the_ranking_stays_as_it_is() -> None:
    assert claim_ranking(EVENLY, Persona(), CATALOGUE) == EVENLY
    assert claim_ranking([], EN.infer(Persona(), FAN), CATALOGUE) == []


def test_what_is_said_or_confirmed_counts_more_than_little_that_was_concluded() -> None:
    weak = Claim("x", "likes", "category", "Horror", lift=1.5)
    assert strength(weak) < strength(replace(weak, state="kept")) == strength(replace(weak, quote="horror"))
    assert strength(replace(weak, lift=1000.0)) == 4.0


@pytest.mark.parametrize(("locale", "taste"), [("en", "horror, no romance"), ("ko", "공포, 로맨스는 싫어")])
def test_who_only_typed_tastes_is_recommended_to_by_them(locale: Locale, taste: str) -> None:
    items = works(locale)
    catalogue = CatalogueTraits.of(items)
    persona = PersonaMaker(catalogue, locale).infer(Persona(), UserKnowledge(tastes=[taste]))
    assert query_of(persona) == CATEGORIES[locale][HORROR]
    recommender = CatalogueAnswers(items, fit_ranker("bm25", DomainData("movies", items)))
    options = RecommendOptions(5, exclude=left_out(persona, catalogue))
    (found,) = recommender.recommend_all([UserRequest((), query_of(persona))], options)
    assert len(found.items) == 5
    assert {int(one.item_id[1:]) % KINDS for one in found.items} == {HORROR}
