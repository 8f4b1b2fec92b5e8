import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rectune.core.types import Item
from rectune.retrieval.grounding import Grounding, ground_in

TITLES = [
    "Alien",
    "Alien 3",
    "Interstellar",
    "The Matrix",
    "It",
    "기생충",
    "Heat",
    "Heat",
    "The Great British Bake",
    "",
]
ITEMS = [Item("movies", str(n), title, ("film",)) for n, title in enumerate(TITLES)]
ITEMS.append(Item("books", "b", "The Hobbit"))
NOIR = ["Third Man, The (1949)", "The Big Sleep (1946)", "Out of the Past (1947)"]
ITEMS += [Item("noir", str(n), title, ("film",)) for n, title in enumerate(NOIR)]
ITEMS += [Item("books", title, title) for title in ("C++", "C#")]


@pytest.fixture(scope="module")
def grounding(tmp_path_factory: pytest.TempPathFactory) -> Grounding:
    return ground_in(ITEMS, tmp_path_factory.mktemp("index"), "embedded")


@pytest.mark.parametrize(
    ("answer", "title", "how"),
    [
        ("They like space. My recommendation: Alien", "Alien", "title"),
        ("My recommendation: the matrix.", "The Matrix", "title"),
        ("My recommendation: Alien 3", "Alien 3", "title"),
        ("이유는 이렇습니다. 추천: 기생충", "기생충", "title"),
        ('I would go for "Interstellar".', "Interstellar", "title"),
        ("My recommendation: Interstelar", "Interstellar", "fuzzy"),
        ("My recommendation: The Matrix (1999)", "The Matrix", "fuzzy"),
        ("My recommendation: The Matrix, because it is bold", "The Matrix", "fuzzy"),
        ("My ranking:\n1. Interstellar\n2. Alien", "Interstellar", "title"),
        ("My ranking:\n1. Interstelar\n2. Alien", "Interstellar", "fuzzy"),
    ],
)
def test_a_named_item_is_found(grounding: Grounding, answer: str, title: str, how: str):
    found = grounding.named(answer, "movies")
    assert found is not None
    assert (found.title, found.how) == (title, how)


@pytest.mark.parametrize(
    "answer",
    [
        "",
        "My recommendation:",
        "My recommendation: Aliens",
        "My recommendation: Alien 4",
        "My recommendation: It is a fine evening for a film",
        "My recommendation: The Hobbit",
        "it was good",
        "My recommendation: Qwzx",
        "My ranking:\n1. Qwzx\n2. Alien",
    ],
)
def test_what_names_no_item_of_the_domain_is_not_taken_for_one(grounding: Grounding, answer: str):
    assert grounding.named(answer, "movies") is None


def test_without_a_name_the_nearest_item_is_found_by_meaning(grounding: Grounding):
    found = grounding.top("Something where people bake cakes and pastry in Britain.", "movies", 1)[0]
    assert (found.title, found.how) == ("The Great British Bake", "embedding")


def test_an_item_of_the_history_is_never_returned(grounding: Grounding):
    answer = "My recommendation: Alien"
    assert grounding.named(answer, "movies", {"0"}) is None
    everything = grounding.top(answer, "movies", 99, {"0", "2"})
    assert {found.item_id for found in everything} == {str(n) for n in range(len(TITLES))} - {"0", "2"}
    assert grounding.top(answer, "movies", 5, {item.item_id for item in ITEMS}) == []


def test_of_two_items_with_one_title_the_one_not_taken_yet_is_meant(grounding: Grounding):
    found = grounding.named("My recommendation: Heat", "movies", {"6"})
    assert found is not None and found.item_id == "7"


def test_what_somebody_typed_is_found_though_misspelt(grounding: Grounding):
    assert [item.item_id for item in grounding.titles["movies"].called("the matrix!")] == ["3"]
    assert [item.item_id for item in grounding.titles["movies"].called("Interstelar")] == ["2"]
    assert [item.item_id for item in grounding.titles["movies"].called("heat")] == ["6", "7"]
    assert grounding.titles["movies"].called("Qwzx") == grounding.titles["movies"].called("") == []


@pytest.mark.parametrize(
    "typed", ["The Third Man (1949)", "the third man", "Third Man, The", "Third Man, The (1949)"]
)
def test_an_article_may_stand_before_or_behind(grounding: Grounding, typed: str):
    assert [item.item_id for item in grounding.titles["noir"].called(typed)] == ["0"]
    answer = f"Shadows and a zither. My recommendation: {typed}"
    found = grounding.named(answer, "noir")
    assert found is not None and found.title == NOIR[0] and found.similarity == 1.0
    assert found.how == ("title" if "1949" in typed else "fuzzy")
    assert grounding.named(answer, "noir", {"0"}) is None
    assert grounding.mentioned(f"Like {typed} it is set in Vienna.", "noir") == [NOIR[0]]


def test_titles_that_differ_in_signs_alone_are_two_items(grounding: Grounding):
    found = grounding.read("My recommendation: C#", "books")
    assert found.item is not None and (found.item.item_id, found.bearers) == ("C#", 1)
    assert grounding.named("My recommendation: C#", "books", {"C#"}) is None


def test_an_article_that_the_catalogue_has_in_front_may_be_typed_behind(grounding: Grounding):
    assert [item.item_id for item in grounding.titles["noir"].called("Big Sleep, The (1946)")] == ["1"]


@pytest.mark.parametrize(
    ("answer", "title", "how", "bearers", "known", "words"),
    [
        ("My recommendation: Alien", "Alien", "title", 1, False, "Alien"),
        ("My recommendation: Heat", "Heat", "title", 2, False, "Heat"),
        ("My recommendation: Interstelar", "Interstellar", "fuzzy", 1, True, "Interstelar"),
        ("My recommendation: Qwzx", "", None, 0, False, "Qwzx"),
        ("Something quiet", "", None, 0, False, ""),
    ],
)
def test_what_stands_in_the_place_of_a_title_is_told(
    grounding: Grounding, answer: str, title: str, how: str, bearers: int, known: bool, words: str
):
    found = grounding.read(answer, "movies", {"2"})
    assert (found.title, found.how, found.bearers, found.known) == (title, how, bearers, known)
    assert found.words == words and (found.item is None) == (known or not title)


def test_a_title_named_twice_in_places_for_titles_is_noticed(grounding: Grounding):
    assert grounding.repeated("My ranking:\n1. Alien\n2. Interstellar\n3. alien", "movies")
    assert not grounding.repeated("Alien is bold. Alien! My recommendation: Alien", "movies")
    assert grounding.mentioned('You liked "Interstellar" and Alien 3.', "movies") == [
        "Interstellar",
        "Alien 3",
    ]


def test_what_was_asked_for_counts_beside_the_answer(grounding: Grounding):
    (found,) = grounding.nearest("", "movies", 1, queries=["people who bake cakes in Britain"])
    assert found.title == "The Great British Bake" and found.evidence and dict(found.ranks)["best 0"] == 1


def test_the_named_item_leads_and_stands_once(grounding: Grounding):
    found = grounding.top("My recommendation: Interstellar", "movies", 4)
    assert [item.how for item in found] == ["title", *["embedding"] * 3]
    assert len({item.item_id for item in found}) == 4


@settings(max_examples=25, deadline=None)
@given(st.text(max_size=60), st.sets(st.sampled_from([item.item_id for item in ITEMS])))
def test_whatever_is_written_only_real_items_outside_the_history_come_out(
    grounding: Grounding, text: str, history: set[str]
):
    for answer in (text, f"My recommendation: {text}"):
        found = grounding.top(answer, "movies", 3, history)
        assert all(item.item_id not in history for item in found)
        assert all(ITEMS[int(item.item_id)].title == item.title for item in found)
