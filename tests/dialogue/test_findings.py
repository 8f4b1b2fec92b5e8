"""What is found of people whose taste is planted, and of people who have none."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rectune.core.types import Item, Locale
from rectune.dialogue.enrichment import at_least, explained, significant
from rectune.dialogue.findings import MOST, Evidence, claim_id, findings
from rectune.dialogue.knowledge import ChatFact, UserKnowledge
from rectune.dialogue.traits import CatalogueTraits
from tests.dialogue.people import CATEGORIES, KINDS, WORDS, anything, of_kind, works

HORROR, COMEDY, ROMANCE = 0, 2, 5
EN = CatalogueTraits.of(works())


def named(knowledge: UserKnowledge, catalogue: CatalogueTraits = EN) -> list[tuple[str, str, str]]:
    return [(one.stance, one.aspect, one.value) for one in findings(knowledge, catalogue)]


@pytest.mark.parametrize("locale", ["en", "ko"])
def test_who_likes_only_horror_has_one_claim_that_rests_on_all_of_it(locale: Locale) -> None:
    liked = of_kind(HORROR, 8)
    (claim,) = findings(UserKnowledge(liked=liked), CatalogueTraits.of(works(locale)))
    assert (claim.stance, claim.aspect, claim.value) == ("likes", "category", CATEGORIES[locale][HORROR])
    assert claim.item_ids == tuple(reversed(liked)), "the latest first"
    assert (claim.count, claim.of, claim.lift) == (8, 8, 10.0)
    assert claim.id == claim_id("likes", "category", CATEGORIES[locale][HORROR])


@pytest.mark.parametrize("locale", ["en", "ko"])
def test_a_word_that_says_more_than_its_category_stands_for_both(locale: Locale) -> None:
    """Every second work of horror is haunted; who likes these alone likes the word."""
    haunted = [f"w{n}" for n in range(HORROR, 200, 20)]
    catalogue = CatalogueTraits.of(works(locale))
    assert named(UserKnowledge(liked=haunted), catalogue) == [("likes", "word", WORDS[locale][HORROR])]


def test_of_a_category_and_a_word_that_always_come_together_the_category_is_named() -> None:
    same = [replace(one, description=f"It is of {one.categories[0]}ness.") for one in works()]
    assert named(UserKnowledge(liked=of_kind(HORROR, 8)), CatalogueTraits.of(same)) == [
        ("likes", "category", "Horror")
    ]


def test_two_tastes_are_two_claims() -> None:
    liked = [one for pair in zip(of_kind(HORROR, 8), of_kind(COMEDY, 8), strict=True) for one in pair]
    assert {value for _, _, value in named(UserKnowledge(liked=liked))} == {"Horror", "Comedy"}


def test_a_maker_and_a_decade_are_found() -> None:
    """Maker 3 made the works 30 to 39, in all categories and one decade; the decade has forty works."""
    assert named(UserKnowledge(liked=[f"w{n}" for n in range(30, 38)])) == [("likes", "maker", "Maker3")]
    decade = [f"w{n}" for n in range(0, 40, 2)] + [f"w{n}" for n in range(1, 40, 4)]
    assert ("likes", "decade", "1950s") in named(UserKnowledge(liked=decade))


def test_two_of_anything_are_too_few() -> None:
    assert named(UserKnowledge(liked=of_kind(HORROR, 2))) == []


def test_dislikes_are_avoided_but_not_where_likes_have_as_much() -> None:
    disliked = frozenset(of_kind(ROMANCE, 8))
    others = [one for one in anything(1, 12) if one not in disliked]
    assert ("avoids", "category", "Romance") in named(UserKnowledge(liked=others, disliked=disliked))
    fan = of_kind(ROMANCE, 12, 8)
    assert named(UserKnowledge(liked=fan, disliked=disliked)) == [], "they take nothing else: it says nothing"


def test_what_changed_lately_is_told_apart_from_what_was_always_so() -> None:
    before = [one for kind in range(1, KINDS) for one in of_kind(kind, 3)]
    liked = [*before, *of_kind(HORROR, 9)]
    (claim,) = [one for one in findings(UserKnowledge(liked=liked), EN) if one.value == "Horror"]
    assert claim.recent and claim.count == claim.of == 9
    mixed = [one for pair in zip(before, of_kind(HORROR, 20), strict=False) for one in pair]
    (always,) = [one for one in findings(UserKnowledge(liked=mixed), EN) if one.value == "Horror"]
    assert not always.recent and always.of == len(mixed)


@pytest.mark.parametrize("people", [200, pytest.param(1000, marks=pytest.mark.slow)])
def test_of_people_without_a_taste_one_in_twenty_at_most_has_a_claim(people: int) -> None:
    """Likes and dislikes are drawn at random, few and many."""
    found = 0
    for seed in range(people):
        drawn = anything(seed, 5 + seed % 50)
        cut = len(drawn) * 3 // 4
        knowledge = UserKnowledge(liked=drawn[:cut], disliked=frozenset(drawn[cut:]))
        found += bool(findings(knowledge, EN))
    assert found / people <= 0.05


def test_the_threshold_is_reached_and_not_only_kept() -> None:
    """With traits that many items have the error is near what is allowed: the test wastes little."""
    import numpy as np

    draws = np.random.default_rng(7).hypergeometric(100, 900, 60, 20_000)
    p = {int(k): at_least(int(k), 100, 1000, 60) for k in set(draws)}
    named = [k for k in p if significant([(100, k)], [100], 1000, 60, 0.05)]
    share = np.isin(draws, named).mean()
    assert 0.02 < share <= 0.055


def test_rare_traits_take_no_part_in_the_correction() -> None:
    """A thousand traits of two items each can never be found: a single test is not made harder by them."""
    alone = significant([(20, 6)], [20], 200, 20, 0.05)
    assert alone and significant([(20, 6)], [20, *[2] * 1000], 200, 20, 0.05) == alone
    assert not significant([(20, 6)], [20] * 1000, 200, 20, 0.05)


@given(
    st.sets(st.integers(0, 39), min_size=1),
    st.sets(st.integers(0, 39), min_size=1),
    st.sets(st.integers(0, 39)),
)
def test_every_trait_is_explained_by_itself(trait: set[int], by: set[int], own: set[int]) -> None:
    ids = [frozenset(map(str, some)) for some in (trait, by, own)]
    assert explained(ids[0], ids[0], ids[2], 40)
    assert isinstance(explained(*ids, 40), bool)


def test_items_named_in_chats_are_evidence_and_the_latest_word_counts() -> None:
    liked = ChatFact("like", "Title 40", "I loved Title 40", 1, 1, "w40")
    against = ChatFact("avoid", "Title 0", "Title 0 was awful", 2, 2, "w0")
    evidence = Evidence.of(UserKnowledge(liked=["w0", "w10", "gone"], facts=[liked, against]), EN)
    assert evidence.liked == ("w10", "w40") and evidence.disliked == ("w0",)


def test_the_same_is_found_whatever_the_order_of_the_catalogue_and_at_most_so_many() -> None:
    knowledge = UserKnowledge(
        liked=[*of_kind(HORROR, 9), *of_kind(COMEDY, 9)], disliked=frozenset(of_kind(ROMANCE, 9))
    )
    assert findings(knowledge, EN) == findings(knowledge, CatalogueTraits.of(works()[::-1]))
    assert len(findings(knowledge, EN)) <= MOST


def test_a_catalogue_that_says_nothing_and_people_who_did_nothing() -> None:
    bare = CatalogueTraits.of([Item("movies", f"{n}", f"Film {n}") for n in range(20)])
    assert findings(UserKnowledge(liked=[f"{n}" for n in range(10)]), bare) == []
    assert findings(UserKnowledge(), EN) == [] == findings(UserKnowledge(), CatalogueTraits.of([]))


def test_numbers_original_titles_and_opinions_are_no_taste() -> None:
    facts = ("price: 12", "original title: Der Film", 'opinion: "It is fine."')
    items = [Item("movies", f"{n}", f"Film {n}", (), "", None, facts if n < 10 else ()) for n in range(100)]
    assert findings(UserKnowledge(liked=[f"{n}" for n in range(10)]), CatalogueTraits.of(items)) == []
