"""Which items a claim speaks of, by the catalogue alone."""

from __future__ import annotations

import pytest

from rectune.core.types import Item
from rectune.dialogue.matching import avoided_in, claim_matches, liked_in, matching_items, shares_met
from rectune.dialogue.traits import CatalogueTraits
from tests.dialogue.people import works
from tests.dialogue.scripted_judge import claim

FILM = Item(
    "movies", "a", "The Long Voyage", ("Science Fiction", "Drama"), "Two sisters repair an old ship.", 1994,
    ("director: Ana Ruiz, Bo Lind", "setting: Lisbon", 'opinion: "Full of zombies."'),
)  # fmt: skip
KOREAN = Item(
    "movies", "b", "바다의 문", ("SF", "스릴러"), "반전이 거듭되는 느린 이야기.", 2003, ("감독: 김하늘",)
)


@pytest.mark.parametrize(
    ("aspect", "value", "found"),
    [
        ("category", "science fiction", True),
        ("category", "Science", False),
        ("maker", "Bo Lind", True),
        ("maker", "Bo", False),
        ("decade", "1990s", True),
        ("decade", "1980s", False),
        ("decade", "the nineties", False),
        ("setting", "lisbon", True),
        ("setting", "Porto", False),
        ("word", "ships", True),
        ("word", "sister", True),
        ("taste", "repairing ships", True),
        ("taste", "repairing trains", False),
        ("taste", "Drama", True),
        ("taste", "zombies", False),  # an opinion is no fact of the item
        ("taste", "films", False),  # it says nothing of what is wanted
        ("category", " ", False),
        ("category", "SF", True),  # names of the same genre, in both languages
        ("category", "공상과학", True),
        ("taste", "드라마", True),
        ("category", "공포", False),
    ],
)
def test_a_claim_matches_what_the_catalogue_says(aspect: str, value: str, found: bool):
    assert claim_matches(claim("likes", value, aspect), FILM) is found


@pytest.mark.parametrize(
    ("aspect", "value", "found"),
    [
        ("category", "sf", True),
        ("category", "Sci-Fi", True),
        ("taste", "thriller", True),
        ("maker", "김하늘", True),
        ("decade", "2000년대", True),
        ("taste", "반전", True),
        ("taste", "반전이 있는 이야기", True),
        ("taste", "느린", True),
        ("taste", "좀비", False),
    ],
)
def test_korean_words_are_found_without_their_particles(aspect: str, value: str, found: bool):
    assert claim_matches(claim("likes", value, aspect), KOREAN) is found


def test_only_claims_that_count_have_a_say():
    likes, avoids = claim("likes", "SF"), claim("avoids", "스릴러")
    removed = claim("avoids", "SF", state="removed")
    assert matching_items(likes, [FILM, KOREAN]) == [FILM, KOREAN]  # Science Fiction is SF
    assert avoided_in(KOREAN, [likes, avoids, removed]) == [avoids]
    assert liked_in(KOREAN, [likes, avoids, removed]) == [likes]


@pytest.mark.parametrize(
    ("aspect", "value"),
    [
        ("category", "Horror"),
        ("maker", "maker4"),
        ("decade", "1960s"),
        ("word", "dragons"),
        ("taste", "a wedding"),
    ],
)
def test_an_item_matches_by_itself_as_it_does_in_its_catalogue(aspect: str, value: str):
    catalogue = CatalogueTraits.of(works())
    one = claim("likes", value, aspect)
    alone = [claim_matches(one, item) for item in works()]
    assert alone == [share >= 1 for share in shares_met(one, catalogue, list(catalogue.items))]
    assert 0 < sum(alone) < len(alone)
