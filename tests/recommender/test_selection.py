"""Conditions on what may be recommended."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rectune.core.errors import UserError
from rectune.core.types import Item
from rectune.recommender.selection import allowed_ids
from tests.recommender.shelf import films

ITEMS = films()


@pytest.mark.parametrize(
    ("where", "allowed"),
    [
        ({"category": "Space"}, {"11", "12", "13"}),
        ({"category": "sPACE"}, {"11", "12", "13"}),
        ({"category": ["War", "Crime"]}, {"12", "16"}),
        ({"year": 1995}, {"12"}),
        ({"year": np.int64(1995)}, {"12"}),
        ({"year": (1995, 2001)}, {"12", "13", "14"}),
        ({"year": [None, 1995]}, {"11", "12"}),
        ({"year": (2001, None)}, {"14", "15"}),
        ({"year": (1800, None)}, {"11", "12", "13", "14", "15"}),
        ({"maker": "acme"}, {"11", "13"}),
        ({"maker": {"Oven", "Quay"}}, {"14", "15", "16"}),
        ({"domain": "Movies"}, {item.item_id for item in ITEMS}),
        ({"category": "Space", "maker": "Acme", "year": (1990, None)}, {"13"}),
    ],
)
def test_items_that_meet_all_conditions_are_allowed(where, allowed):
    assert allowed_ids(ITEMS, where) == allowed


@pytest.mark.parametrize(
    ("wanted", "allowed"), [(0, {"zero"}), ((0, None), {"zero", "late"}), ((None, 0), {"early", "zero"})]
)
def test_the_year_0_is_a_year(wanted, allowed):
    items = [
        Item("books", name, name, year=at) for name, at in (("early", -380), ("zero", 0), ("late", 1999))
    ]
    assert allowed_ids(items, {"year": wanted}) == allowed


def test_without_conditions_nothing_is_ruled_out():
    assert allowed_ids(ITEMS, {}) is None


@pytest.mark.parametrize(
    ("where", "said", "hint"),
    [
        ({"category": "Western"}, "no item has category Western", "Cooking, Crime, Space, War"),
        ({"category": ["A", "B"]}, "no item has category A or B", "Cooking"),
        ({"year": 1800}, "no item has year 1800", "1969, 1995"),
        ({"year": (None, 1800)}, "no item has year … to 1800", "1969"),
        ({"colour": "red"}, "no item has colour red", "category, year, domain, maker"),
        ({"maker": "Ac"}, "no item has maker Ac", "maker"),
        # Both are there, but not together: the hint names what is left.
        ({"category": "Space", "maker": "Oven"}, "meet the rest has maker Oven", "maker"),
        ({"category": "Space", "year": 2010}, "meet the rest has year 2010", "1969, 1995, 1999"),
        ({"year": (1990, 1995, 1999)}, "year is", "a pair"),
        ({"year": "1995"}, "year is '1995'", "a number"),
    ],
)  # fmt: skip
def test_what_no_item_meets_is_refused_and_the_choice_is_named(where, said, hint):
    with pytest.raises(UserError, match=said) as refused:
        allowed_ids(ITEMS, where)
    assert hint in refused.value.hint


@given(st.sets(st.sampled_from(["Space", "War", "Cooking", "Crime"]), min_size=1), st.integers(1960, 2020))
def test_conditions_together_allow_what_each_of_them_allows(categories, first):
    years = (first, None)
    apart = []
    for where in ({"category": sorted(categories)}, {"year": years}):
        try:
            apart.append(allowed_ids(ITEMS, where))
        except UserError:
            apart.append(frozenset())
    both = frozenset.intersection(*apart)
    if both:
        assert allowed_ids(ITEMS, {"category": sorted(categories), "year": years}) == both
    else:
        with pytest.raises(UserError):
            allowed_ids(ITEMS, {"category": sorted(categories), "year": years})


def test_a_fact_with_several_values_is_met_by_one_of_them():
    facts = {"a": "cast: Ann Lee, Bo", "b": "cast: Ann"}
    cast = [Item("movies", name, name, facts=(fact,)) for name, fact in facts.items()]
    assert allowed_ids(cast, {"cast": "bo"}) == {"a"} and allowed_ids(cast, {"Cast": "Ann"}) == {"b"}
    assert allowed_ids(cast, {"cast": "Ann Lee, Bo"}) == {"a"}
