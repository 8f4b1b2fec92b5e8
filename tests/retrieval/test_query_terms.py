"""What a query asks for: its head counts twice, and half of it has to be there for anything to fit."""

import numpy as np
import pyarrow as pa
import pytest

from rectune.retrieval.query_terms import FITTING, head_of_phrase, query_terms, share_found
from rectune.retrieval.term_search import TermSearch
from rectune.retrieval.terms import joined_terms

pytest.importorskip("kiwipiepy")

SHOP = {
    "headset": ("통화용 헤드셋", "조용한 사무실에서 쓰기 좋은 마이크"),
    "keyboard": ("기계식 키보드", "배터리로 석 달을 쓰는 제품"),
    "stand": ("노트북 거치대", "키보드를 밑에 넣는 받침대"),
    "backpack": ("등산 배낭", "비를 막는 덮개"),
}


@pytest.fixture(scope="module")
def shop() -> TermSearch:
    titles = [title for title, _ in SHOP.values()]
    terms = list(joined_terms([f"{title}. {told}" for title, told in SHOP.values()]))
    rows = {"domain": ["goods"] * len(SHOP), "item_id": list(SHOP), "title": titles, "terms": terms}
    return TermSearch(pa.table(rows))


@pytest.mark.parametrize(
    ("query", "head"),
    [
        ("조용한 사무실용 키보드", ("키보드",)),
        ("캠핑용 의자 추천해 줘", ("의자",)),
        ("따뜻한 이야기", ()),  # it fits anything
        ("가벼운 USB 마이크", ("마이크",)),
        ("아주 작은", ()),
        ("부엌에 놓을 김치냉장고", ("냉장고",)),
    ],
)
def test_the_head_of_a_phrase_stands_last(query: str, head: tuple[str, ...]):
    assert head_of_phrase(query) == head


def test_a_long_text_has_no_head():
    assert head_of_phrase("산과 바다와 강과 들과 하늘과 구름과 바람과 나무와 꽃") == ()


def test_what_an_item_is_counts_more_than_what_it_is_like(shop: TermSearch):
    """The headset has both words that narrow it down; the stand only speaks of keyboards."""
    found = [one.item_id for one in shop.top(["조용한 사무실용 키보드"], [1.0], 3)]
    assert found[0] == "keyboard"


@pytest.mark.parametrize(
    ("query", "fits"),
    [
        ("조용한 키보드", True),
        ("비 오는 날 쓸 우산", False),  # the backpack keeps off the rain
        ("사무실 벽시계", False),
        ("우산", False),
        ("헤드셋", True),
    ],
)
def test_half_of_what_is_asked_for_has_to_be_there(shop: TermSearch, query: str, fits: bool):
    assert (shop.share_found(query, "goods") >= FITTING) is fits


def test_nothing_that_is_said_is_found_nowhere_and_in_no_other_domain(shop: TermSearch):
    assert shop.share_found("추천해 줘", "goods") == 0.0
    assert shop.share_found("헤드셋", "books") == 0.0


def test_the_share_is_weighted_by_the_kinds_of_words():
    terms = query_terms("가벼운 캠핑 의자")  # half, one, and two
    share = share_found(terms, [np.array([1.0, 0.0]), np.array([1.0, 0.0]), np.array([0.0, 1.0])])
    assert share.tolist() == pytest.approx([1.5 / 3.5, 2 / 3.5])
