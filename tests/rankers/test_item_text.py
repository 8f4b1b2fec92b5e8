"""Long items within a budget: the title always, then whole sentences, then facts."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rectune.core.types import Item, opinion_fact
from rectune.rankers.item_text import (
    TextOptions,
    cut_text,
    item_text,
    texts_of,
    token_budget,
    with_sentences,
    word_count,
)
from rectune.retrieval.embedding import EMBEDDED, register

ITEM = Item(
    "d",
    "1",
    "A Kettle",
    ("kitchen", "steel"),
    "It boils two litres. It has a handle of oak! Cleaning is easy",
    facts=("price: 12", "maker: Bell and Sons", opinion_fact("It leaks.")),
)
KINDS = ("title", "title+categories", "title+description")


def described(item: Item, budget: int, length=word_count) -> str:
    return cut_text(item, "title+description", budget, length)


def test_the_three_texts():
    assert item_text(ITEM, "title") == "A Kettle"
    assert item_text(ITEM, "title+categories") == "A Kettle. kitchen, steel"
    assert item_text(ITEM, "title+description") == (
        "A Kettle. It boils two litres. It has a handle of oak! Cleaning is easy. price: 12. "
        "maker: Bell and Sons"
    )


@pytest.mark.parametrize(
    ("budget", "expected"),
    [
        (1, "A"),
        (2, "A Kettle"),
        (4, "A Kettle. It boils"),  # no sentence fits: the first one is cut at a word
        (6, "A Kettle. It boils two litres."),
        (8, "A Kettle. It boils two litres. price: 12"),
        (14, "A Kettle. It boils two litres. It has a handle of oak! price: 12"),
    ],
)
def test_whole_sentences_and_facts_that_fit(budget: int, expected: str):
    assert described(ITEM, budget) == expected


def test_a_sentence_that_does_not_fit_is_left_out_however_long_it_is():
    long = Item("d", "5", "Kettle", (), f"It boils. {'And boils ' * 500}. It whistles.")
    assert described(long, 200) == "Kettle. It boils."
    alone = described(Item("d", "6", "Kettle", (), "boils and " * 500), 200)
    assert word_count(alone) == 200 and alone.endswith(("boils", "and"))


@pytest.mark.parametrize(("budget", "expected"), [(2, "A Kettle"), (3, "A Kettle. kitchen"), (1, "A")])
def test_the_first_categories_that_fit(budget: int, expected: str):
    assert cut_text(ITEM, "title+categories", budget) == expected


def test_the_budget_may_be_in_any_unit():
    assert described(ITEM, 31, len) == "A Kettle. It boils two litres."
    assert described(Item("d", "2", "Unabridged"), 4, len) == "Unab"


def test_in_scripts_without_spaces_two_characters_are_a_word():
    assert word_count("新しい本 and more") == 4
    assert described(Item("d", "3", "新しい本", (), "面白い。長い話です。"), 5) == "新しい本. 面白い。"
    assert described(Item("d", "3", "本", (), "とても長い話です。"), 4) == "本. とても長い話"


def test_sentences_follow_a_lead_that_is_full_already_in_no_part():
    assert with_sentences("A Kettle", ["It boils."], 2) == "A Kettle"


@settings(max_examples=50, deadline=None)
@given(
    st.text(max_size=60),
    st.text(max_size=200),
    st.lists(st.text(max_size=20), max_size=3),
    st.integers(1, 30),
)
def test_it_is_never_longer_than_the_budget(title: str, body: str, facts: list[str], budget: int):
    item = Item("d", "4", title, tuple(facts), body, facts=tuple(facts))
    for kind in KINDS:
        assert word_count(cut_text(item, kind, budget)) <= budget


def test_what_fits_is_read_whole_and_the_rest_is_cut_to_the_tokens_of_the_embedder():
    long = Item("d", "2", "A Teapot", ("kitchen",), "It pours without a drop beside the cup. " * 40)
    found = texts_of([ITEM, long], TextOptions("title+description", 64), EMBEDDED)
    assert found.cut == ("2",) and found.texts["1"] == item_text(ITEM, "title+description")
    length, budget = token_budget(EMBEDDED, 64)
    assert budget == 64 and 50 < length(found.texts["2"]) <= 64 and found.texts["2"].endswith("cup.")
    assert not texts_of([ITEM, long], TextOptions(), EMBEDDED).cut


def test_no_more_than_the_embedder_reads_counts_and_a_registered_one_counts_words():
    assert token_budget(EMBEDDED, 5000)[1] == 256
    register("of words", 2, lambda texts: None)
    assert token_budget("of words", 5000) == (word_count, 5000)
