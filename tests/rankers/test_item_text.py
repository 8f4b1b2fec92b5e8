"""Long items within a budget: the title always, then whole sentences, then facts."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rectune.core.types import Item, opinion_fact
from rectune.rankers.item_text import described, item_text, word_count

ITEM = Item(
    "d",
    "1",
    "A Kettle",
    ("kitchen", "steel"),
    "It boils two litres. It has a handle of oak! Cleaning is easy",
    facts=("price: 12", "maker: Bell and Sons", opinion_fact("It leaks.")),
)


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
        (5, "A Kettle. price: 12"),  # no sentence fits, a fact does
        (6, "A Kettle. It boils two litres."),
        (8, "A Kettle. It boils two litres. price: 12"),
        (14, "A Kettle. It boils two litres. It has a handle of oak! price: 12"),
    ],
)
def test_whole_sentences_and_facts_that_fit(budget: int, expected: str):
    assert described(ITEM, budget) == expected


def test_the_budget_may_be_in_any_unit():
    assert described(ITEM, 31, len) == "A Kettle. It boils two litres."
    assert described(Item("d", "2", "Unabridged"), 4, len) == "Unab"


def test_in_scripts_without_spaces_two_characters_are_a_word():
    assert word_count("新しい本 and more") == 4
    assert described(Item("d", "3", "新しい本", (), "面白い。長い話です。"), 5) == "新しい本. 面白い。"


@settings(max_examples=50, deadline=None)
@given(
    st.text(max_size=60),
    st.text(max_size=200),
    st.lists(st.text(max_size=20), max_size=3),
    st.integers(1, 30),
)
def test_it_is_never_longer_than_the_budget(title: str, body: str, facts: list[str], budget: int):
    found = described(Item("d", "4", title, (), body, facts=tuple(facts)), budget)
    assert word_count(found) <= budget
