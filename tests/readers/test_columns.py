"""Columns are guessed from their names, each is one thing, and nobody's word is overruled."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rectune.readers.columns import ITEM_NAMES, guessed

EVERY = [name for names in ITEM_NAMES.values() for name in names]


def test_no_name_stands_for_two_fields() -> None:
    assert len(EVERY) == len(set(EVERY))


@pytest.mark.parametrize(
    ("there", "found"),
    [
        (
            ["SKU", "Product Name", "kind", "About", "released"],
            {
                "item_id": "SKU",
                "title": "Product Name",
                "categories": "kind",
                "description": "About",
                "year": "released",
            },
        ),
        (
            ["상품 번호", "상품명", "상세 설명"],
            {"item_id": "상품 번호", "title": "상품명", "description": "상세 설명"},
        ),
        (["name", "title"], {"title": "title"}),  # the likelier name
        (["Title", "TITLE"], {"title": "Title"}),  # the first of two that read alike
        (["price", "colour", "", "…"], {}),
    ],
)
def test_common_names(there: list[str], found: dict[str, str]) -> None:
    assert guessed(ITEM_NAMES, there) == found


@given(st.lists(st.sampled_from([*EVERY, "price", "Name ", "T-I-T-L-E", "ID"])), st.data())
def test_a_column_serves_once_and_what_is_taken_is_left_alone(there: list[str], data: st.DataObject) -> None:
    taken = data.draw(st.sets(st.sampled_from(there))) if there else set()
    found = guessed(ITEM_NAMES, there, taken)
    assert len(set(found.values())) == len(found)
    assert set(found.values()) <= set(there) - taken
    assert guessed(ITEM_NAMES, list(found.values())) == found  # what was not taken plays no part
