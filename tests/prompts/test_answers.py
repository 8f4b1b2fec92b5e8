"""Reading items out of answers: whole titles only, longest first, and sure only of what was named as the choice."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prompts.answers import closing, find_items, recommended
from rectune.types import Locale

TITLES = [
    "Alien",
    "Aliens",
    "It",
    "기생충",
    "Star Wars",
    "Star Wars: Episode V",
    "Spider-Man: Homecoming",
    "Up",
]


def named(text: str) -> list[str]:
    return [TITLES[mention.index] for mention in find_items(text, TITLES)]


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("We saw Aliens twice.", ["Aliens"]),
        ("Alienation is no film.", []),
        ("star wars episode v was better", ["Star Wars: Episode V"]),
        ("Star Wars, then Up!", ["Star Wars", "Up"]),
        ("Spider Man Homecoming", ["Spider-Man: Homecoming"]),
        ("Spider-Man", []),
        ("어제 기생충을 봤다", ["기생충"]),
        ("기생충학 입문", []),
        ("ＡＬＩＥＮ in full width", ["Alien"]),
        ("", []),
    ],
)
def test_only_whole_titles_count(text: str, wanted: list[str]) -> None:
    assert named(text) == wanted


def test_the_place_of_a_mention_is_the_title_without_its_particle() -> None:
    text = "어제 기생충을 봤다"
    mention = find_items(text, TITLES)[0]
    assert text[mention.start : mention.end] == "기생충"


def test_a_short_common_word_is_an_unsure_mention_and_quotes_make_it_sure() -> None:
    plain, quoted = find_items('it is good; "It" is a film', TITLES)
    assert plain.certainty < 0.5 < quoted.certainty < 1.0


@pytest.mark.parametrize("locale", ["en", "ko"])
@given(title=st.sampled_from(TITLES), lead=st.text(max_size=40))
def test_what_the_closing_sentence_names_is_read_back(locale: Locale, title: str, lead: str) -> None:
    mention = recommended(f"{lead}\n{closing(locale, title)}", TITLES)
    assert mention is not None and TITLES[mention.index] == title and mention.certainty == 1.0


@pytest.mark.parametrize(
    ("answer", "wanted"),
    [
        ("You like Alien. So try Aliens.", "Aliens"),
        ("You like Alien. So try something new.", None),
        ("You like Alien. It's also a good choice because", None),
        ("You like Alien. Nothing beats It", "It"),
        ("My recommendation: Aliens and more", None),
        ("My recommendation: Solaris", None),
        ("My recommendation: Alien\nMy recommendation: Up", "Up"),
    ],
)
def test_an_answer_ends_on_one_item_or_on_none(answer: str, wanted: str | None) -> None:
    mention = recommended(answer, TITLES)
    assert (TITLES[mention.index] if mention else None) == wanted


@given(st.text(), st.lists(st.text(max_size=12), max_size=6))
def test_any_text_can_be_read_and_mentions_never_overlap(text: str, titles: list[str]) -> None:
    mentions = find_items(text, titles)
    for mention in mentions:
        assert 0 <= mention.start <= mention.end <= len(text) and 0.0 < mention.certainty <= 1.0
    for earlier, later in itertools.pairwise(mentions):
        assert earlier.start < later.start
