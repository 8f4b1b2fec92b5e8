"""Mentions of titles in running text: whole titles, longest first, certain only if no ordinary word."""

import itertools
from collections import Counter
from collections.abc import Callable, Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rectune.core.types import Item
from rectune.prompts.answers import find_items, read_answer
from rectune.prompts.title_index import TitleIndex, TitleMatch
from rectune.prompts.title_matching import MARKED, SHORT, SPOKEN, SURE, UNSURE, without_particle
from rectune.prompts.titles import MOST_WORDS, unescape, without_year

TITLES = [
    "Alien",
    "Aliens",
    "It",
    "기생충",
    "Star Wars",
    "Star Wars: Episode V",
    "Spider-Man: Homecoming",
    "Up",
    "Heat (1995)",
    "Solaris (1972)",
    "Solaris (2002)",
    "Amélie",
    "The Matrix",
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
        ("기생충에서는 계단이 중요하다", ["기생충"]),
        ("기생충학 입문", []),
        ("ＡＬＩＥＮ in full width", ["Alien"]),
        ("Ame\u0301lie in Paris", ["Amélie"]),
        ("Am&eacute;lie in Paris", ["Amélie"]),
        ("Heat and Solaris", ["Heat (1995)"]),
        ("Solaris (1972)", ["Solaris (1972)"]),
        ("", []),
    ],
)
def test_only_whole_titles_count(text: str, wanted: list[str]) -> None:
    assert named(text) == wanted


@pytest.mark.parametrize(
    ("text", "certainty"),
    [
        ("You will like Alien a lot.", SPOKEN),
        ('You will like "Alien" a lot.', MARKED),
        ("You will like **Alien** a lot.", MARKED),
        ("You will like Alien's crew.", SPOKEN),
        ("이번에는 「기생충」을 보세요.", MARKED),
        ("You will like Heat a lot.", SHORT),
        ("You will like Heat (1986) a lot.", UNSURE),
        ("You will like an alien a lot.", UNSURE),
        ("Up you go.", UNSURE),
        ("You know it.", UNSURE),
        ("You know, It's late.", UNSURE),
        ("You will like Alien 3 a lot.", UNSURE),
        ("You will like Alien Covenant a lot.", UNSURE),
        ("You will like the Big Alien a lot.", UNSURE),
        ("You will like The Matrix Reloaded.", UNSURE),
        ("You will like Alien-3 a lot.", UNSURE),
        ("You will like The Matrix and more.", SPOKEN),
    ],
)
def test_how_sure_a_mention_is(text: str, certainty: float) -> None:
    (mention,) = find_items(text, TITLES)
    assert mention.certainty == certainty
    assert (certainty >= SURE) == (certainty != UNSURE)


def test_the_place_of_a_mention_is_the_title_without_its_particle() -> None:
    text = "어제 기생충을 봤다"
    mention = find_items(text, TITLES)[0]
    assert text[mention.start : mention.end] == "기생충"


def test_a_particle_is_taken_off_hangul_only() -> None:
    assert without_particle("영화를") == ["영화를", "영화"]
    assert without_particle("alien") == ["alien"]
    assert "매트릭스" in without_particle("매트릭스에서는")


@given(st.text(), st.lists(st.text(max_size=12), max_size=6))
def test_mentions_never_overlap(text: str, titles: list[str]) -> None:
    mentions = find_items(text, titles)
    assert all(0 <= m.start < m.end <= len(text) and 0.0 < m.certainty <= 1.0 for m in mentions)
    assert all(earlier.end <= later.start for earlier, later in itertools.pairwise(mentions))


@pytest.mark.parametrize(
    ("title", "short"),
    [
        ("Alien (1979)", "Alien"),
        ("Lost (2004–2010)", "Lost"),
        ("Lost (2004-)", "Lost"),
        ("기생충（2019）", "기생충"),
        ("(1979)", ""),
        ("Alien", ""),
        ("Seven (a.k.a. Se7en)", ""),
        ("(1979) Alien", ""),
        (" " * 10_000 + "(1979", ""),
    ],
)
def test_the_year_at_the_end_is_taken_off(title: str, short: str) -> None:
    assert without_year(title) == short


def test_entities_are_resolved_with_their_semicolon_only_and_make_no_second_line() -> None:
    text, places = unescape("a &amp; b&#10;&c &copy;")
    assert text == "a & b &c ©" and [places[text.index(char)] for char in "b©"] == [8, 17]
    assert places[-1] == len("a &amp; b&#10;&c &copy;")
    assert unescape("Rock&reggae") == ("Rock&reggae", [])


class Counting(TitleIndex):
    """An index that counts its look-ups, which take the time; so does its copy for titles shown."""

    def __init__(self, items: Iterable[Item]) -> None:
        super().__init__(items)
        self._calls = Counter[str]()

    @property
    def asked(self) -> int:
        return self._calls.total()

    def lengths(self, first: str) -> int:
        self._calls["lengths"] += 1
        return super().lengths(first)

    def resolve(self, key: str, spellings: Callable[[], Iterable[str]]) -> TitleMatch | None:
        self._calls["resolve"] += 1
        assert len(key) <= 200_000
        return super().resolve(key, spellings)


SIZE = 20_000
FLOODS = [
    "1" * SIZE,
    "1 " * (SIZE // 2),
    "1. " * (SIZE // 3),
    "1.\n" * (SIZE // 3),
    "[" * SIZE,
    "[1] > " * (SIZE // 6),
    "((" * (SIZE // 2),
    "it " * (SIZE // 3),
    "it\n" * (SIZE // 3),
    "- it\n" * (SIZE // 5),
    "it" * (SIZE // 2),
    "." * SIZE,
    "을" * SIZE,
    "을 " * (SIZE // 2),
    "&" * SIZE,
    "&amp;" * (SIZE // 5),
    ":" * SIZE,
    "Answer: " * (SIZE // 8),
    "Answer:\n" * (SIZE // 8),
    "My ranking: " * (SIZE // 12),
    "My ranking:\n" * (SIZE // 12),
    "My recommendation: it " * (SIZE // 22),
    "추천: " * (SIZE // 4),
    " " * SIZE,
    "\n" * SIZE,
    "*" * SIZE,
    "a\u0301" * (SIZE // 2),
]
# One title is the flood's own word, as often as a title can hold it, and one more word.
LONG = ["it", "It", "1", " ".join(["it"] * 63) + " x", " ".join(["1"] * 63) + " x", "it " * 40_000, "을"]


@pytest.mark.parametrize("flood", FLOODS, ids=lambda flood: ascii(flood[:12]))
def test_hostile_answers_take_work_in_proportion_to_their_length(flood: str) -> None:
    half, whole = Counting.of_titles(LONG), Counting.of_titles(LONG)
    read_answer(flood[: SIZE // 2], half, (0, 1, 2))
    read_answer(flood, whole, (0, 1, 2))
    assert 0 < whole.asked <= 2.2 * half.asked + 200
    assert whole.asked <= 12 * SIZE


@pytest.mark.slow
@pytest.mark.parametrize("flood", FLOODS, ids=lambda flood: ascii(flood[:12]))
@pytest.mark.timeout(60)
def test_answers_of_three_hundred_kilobytes_are_read(flood: str) -> None:
    read_answer(flood * 15, LONG, (0, 1, 2))


def test_many_titles_with_one_first_word_cost_no_more_than_one() -> None:
    few, many = (
        Counting.of_titles([f"the story {number}" for number in range(count)]) for count in (1, 5000)
    )
    text = "the end of the story of the sea " * 50
    assert find_items(text, few) == find_items(text, many) == []
    assert many.asked == few.asked


def test_titles_longer_than_running_text_is_searched_for_are_read_in_their_place() -> None:
    title = " ".join(f"w{number}" for number in range(MOST_WORDS + 1))
    assert find_items(f"so {title} it is", [title]) == []
    assert read_answer(f"My recommendation: {title}", [title]).items == (0,)
