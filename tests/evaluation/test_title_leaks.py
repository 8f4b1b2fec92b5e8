"""Free answers that name what their domain lacks: made-up titles, and titles of other domains."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rectune.core.types import Item, Prompt
from rectune.evaluation.title_leaks import draft_figures, is_invented, other_titles
from rectune.prompts.title_index import TitleIndexes

ITEMS = {
    "movies": ("Night Train", "The Long Road", "Heat"),
    "books": ("Salt and Iron", "The Long Road", "Journey", "Night Train to Ulm"),
    "games": ("Star Harbour",),
}
TITLES = TitleIndexes(Item(domain, title, title) for domain, titles in ITEMS.items() for title in titles)
PROMPT = Prompt(
    "p", "movies", "passive", "direct", "en", "test", "u", "s", "i", ("Heat",), (), "Heat", "", "x", "movies"
)
DOMAINS = ("movies", "books", "games")


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Because you liked Heat.\nMy recommendation: Salt and Iron", ["Salt and Iron"]),
        ("My recommendation: Journey", ["Journey"]),
        ('It has the mood of "Journey".\nMy recommendation: Night Train', ["Journey"]),
        (
            "See Star Harbour and Salt and Iron, both quiet.",
            ["Salt and Iron", "Star Harbour"],
        ),
        # the domain's own titles, also where another domain has the same
        ("My recommendation: Night Train", []),
        ("My recommendation: The Long Road", []),
        # one word in running text may be an ordinary one
        ("Journey with the crew through the night.\nMy recommendation: Heat", []),
        ("My recommendation: Nothing of the Kind", []),
        ("", []),
    ],
)
def test_titles_of_other_domains_are_found(text: str, found: list[str]) -> None:
    assert other_titles(text, PROMPT, TITLES, DOMAINS) == found


def test_a_title_within_an_own_title_is_the_own_one() -> None:
    titles = TitleIndexes([Item("movies", "a", "Return to Star Harbour"), Item("games", "b", "Star Harbour")])
    assert other_titles("See Return to Star Harbour soon.", PROMPT, titles, ("games",)) == []


def test_a_history_of_another_domain_may_be_named() -> None:
    text = "Because you liked Salt and Iron.\nMy recommendation: Star Harbour"
    crossing = replace(PROMPT, history=("Salt and Iron",), history_domain="books")
    assert other_titles(text, crossing, TITLES, DOMAINS) == ["Star Harbour"]
    assert other_titles(text, PROMPT, TITLES, ("games",)) == ["Star Harbour"]


def test_only_what_is_recommended_can_be_invented() -> None:
    assert is_invented("My recommendation: Nothing of the Kind", TITLES["movies"])
    assert not is_invented("My recommendation: Night Trane", TITLES["movies"])  # misspelt
    assert not is_invented("My recommendation: Night Train", TITLES["movies"])
    assert not is_invented("", TITLES["movies"])


def test_shares_of_answers_with_their_intervals() -> None:
    texts = [f"My recommendation: {title}" for title in ("Salt and Iron", "Nowhere", "Heat", "Night Train")]
    found = draft_figures(texts, [PROMPT] * 4, TITLES, ("books", "games"))
    assert (found.n, found.invented.share, found.other_domain.share) == (4, 0.5, 0.25)
    assert found.other_domain.low < 0.25 < found.other_domain.high
    assert draft_figures([], [], TITLES, ("books",)).n == 0
