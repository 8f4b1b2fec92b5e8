"""What a cell holds, however it was written."""

from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rectune.readers.cells import cell, identity, looked_into, number, text, texts
from rectune.readers.text import clean_text, clean_title


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("Paper Moons", "Paper Moons"),
        (1984.0, "1984"),
        (1984, "1984"),
        (2.5, "2.5"),
        (Decimal("1984"), "1984"),
        (Decimal("12.50"), "12.5"),
        (float("nan"), ""),
        (float("inf"), ""),
        ("NaN", ""),
        ("nan", ""),
        ("\\N", ""),
        (None, ""),
        (True, ""),
        (b"Paper Moons", "Paper Moons"),
        ("살인의 추억".encode(), "살인의 추억"),
        (b"\xff\xfe", ""),
        ("b'Paper Moons'", "Paper Moons"),
        ('b"Paper Moons"', "Paper Moons"),
        (["A", "B"], "A, B"),
        ('["A", "B"]', "A, B"),
        ("['A', 'B']", "A, B"),
        ("[{'id': 16, 'name': 'Animation'}, {'id': 35, 'name': 'Comedy'}]", "Animation, Comedy"),
        ({"name": "Quiet Orbit", "id": 3}, "Quiet Orbit"),
        ('{"title": "Quiet Orbit"}', "Quiet Orbit"),
        ({"ko": "달", "en": "Moon"}, "Moon"),
        ('{"en": "Moon", "ko": "달"}', "Moon"),
        ({"ko": "달"}, "달"),
        ({"a": 1}, ""),
        ({"$oid": "5f1a"}, "5f1a"),
        (date(2021, 9, 15), "2021-09-15"),
        ("<p>One <b>two</b></p>", "One two"),
        ("[REC]", "[REC]"),
        ("[1, 2]", "[1, 2]"),
        ("{x}", "{x}"),
        ("b'", "b'"),
        ("['A', __import__('os').getcwd()]", "['A', __import__('os').getcwd()]"),
        ("[" * 5000 + "]" * 5000, "[" * 5000 + "]" * 5000),
    ],
)
def test_a_cell_is_shown_as_text_and_never_as_a_program_writes_it(value: Any, shown: str) -> None:
    assert cell(value) == shown


@pytest.mark.parametrize(
    ("value", "item_id"),
    [
        (7.0, "7"), ("7.0", "7"), ("007", "007"), (" 8 ", "8"), (Decimal("9780140000001"), "9780140000001"),
        ({"$oid": "5f1a"}, "5f1a"), ({"$numberLong": "12"}, "12"), (b"B000", "B000"), ("1.50", "1.50"),
        (float("nan"), ""), ("NaN", ""), ("None", ""), ("null", ""), (None, ""), ("v1.0", "v1.0"),
    ],
)  # fmt: skip
def test_ids(value: Any, item_id: str) -> None:
    assert identity(value) == item_id


@pytest.mark.parametrize(
    ("title", "clean"),
    [
        ('<span class="a-size-medium', ""),
        ('Magazines" />', ""),
        ('<img src="x.png"/>', ""),
        ('Lamp <span class="a', "Lamp"),
        ("<harmony/>", "<harmony/>"),
        ("I <3 You", "I <3 You"),
        ('He said "go" > home', 'He said "go" > home'),
        ("a < b", "a < b"),
    ],
)
def test_the_rest_of_a_tag_is_no_title(title: str, clean: str) -> None:
    assert clean_title(title) == clean


def test_numbers_with_a_decimal_comma() -> None:
    written = ("4,5", "3,25", "1,234", Decimal("4.5"), {"$numberDouble": "4.5"})
    assert [number(value) for value in written] == [4.5, 3.25, None, 4.5, 4.5]


def test_lists_within_lists_come_to_an_end() -> None:
    deep: Any = ["x"]
    for _ in range(5000):
        deep = [deep]
    assert texts(deep) == []
    assert texts([["a", ["b"]], None, {"name": "c"}, 3.0]) == ["a", "b", "c", "3"]


json_like = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


@given(json_like)
def test_any_value_is_some_text_or_none(value: Any) -> None:
    for found in (cell(value), identity(value), cell(repr(value)), cell(str(value))):
        assert isinstance(found, str)
    shown = text(value)
    assert shown is None or isinstance(shown, str)


@given(st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="[{b")))
def test_plain_text_comes_back_clean(value: str) -> None:
    assert looked_into(value) == value
    assert cell(value) in (clean_text(value), "")
