"""How much of a text stands nowhere, by known answers and by properties."""

import math
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rectune.core.errors import MissingExtra
from rectune.core.text.support import MASK, content_words, support

FACTS = "Romance\nDrama\nA beekeeper teaches a girl from the city to prune apple trees.\n2011"
KOREAN = "공포\n2018\n오래된 아파트의 세입자들이 한 층씩 사라지고 관리인은 문을 센다."
WORDS = ["beekeeper", "girl", "city", "prune", "apple", "trees", "romance", "drama", "2011"]


@pytest.mark.parametrize(
    ("text", "unsupported"),
    [
        ("This romance is about a beekeeper who prunes apple trees.", ()),
        ("Beekeepers, girls and cities: you will like this drama of 2011!", ()),
        ("The beekeeper's apples, and a girl's", ()),
        ("A romance with a beekeeper in Lisbon", ("lisbon",)),
        ("A romance of 1987 about apples", ("1987",)),
        ("ＤＲＡＭＡ and Romance", ()),
    ],
)
def test_english_words_count_in_any_form_and_general_ones_never(text: str, unsupported: tuple[str, ...]):
    assert support(text, FACTS).unsupported == unsupported
    assert (support(text, FACTS).share > 0) == bool(unsupported)


@pytest.mark.parametrize(
    ("text", "unsupported"),
    [
        ("아파트에서 세입자가 사라지는 공포 영화라 마음에 드실 것입니다.", ()),
        ("관리인이 문을 세고 아파트는 오래되었습니다.", ()),
        (f"{MASK}을 추천합니다. 공포가 아파트에 있습니다.", ()),
        ("아파트의 세입자들이 좀비로 변합니다.", ("변하", "좀비")),
    ],
)
def test_korean_particles_and_endings_do_not_count(text: str, unsupported: tuple[str, ...]):
    assert support(text, KOREAN).unsupported == unsupported


def test_a_korean_word_that_stands_in_a_source_as_it_is_counts_however_kiwi_splits_it():
    fact = "시계공이 놋쇠로 아내를 만들고, 아내는 그에게 자기 심장을 달라고 한다."
    assert support(f"소개 글에는 이렇게 적혀 있어요: “{fact}”", fact).share == 0
    assert support("가격대: 3, 도시: 부산", "도시: 부산\n가격대: 3").share == 0


def test_other_sources_support_words_but_something_must_be_the_items_own():
    said = "The romance of a beekeeper, for a rainy evening in Porto"
    assert support(said, FACTS).unsupported == ("evening", "porto", "raini")
    assert support(said, FACTS, ["rainy evening", "Porto"]).share == 0
    assert support("For a rainy evening in Porto", FACTS, ["rainy evening", "Porto"]).share == 1
    assert support("This one is a drama.", FACTS).share == 1
    assert support("This one is a drama.", "Drama").share == 0  # no more is known


@pytest.mark.parametrize("facts", ["가격: 1234567\n색: 파랑", "가격: 1,234,567\n색: 파랑"])
def test_a_number_with_thousands_separators_is_the_same_number(facts: str):
    assert "1234568" in support("색은 파랑, 가격은 1,234,568이에요.", facts).unsupported
    assert "1234567" not in support("색은 파랑, 가격은 1,234,567이에요.", facts).unsupported


@pytest.mark.parametrize("text", ["", " \n", "?!", MASK, "..."])
def test_a_text_without_words_has_no_share(text: str):
    assert math.isnan(support(text, FACTS).share)


@pytest.mark.parametrize("text", ["You will like this film.", "이 영화를 좋아하실 것입니다."])
def test_a_text_of_general_words_says_nothing(text: str):
    assert support(text, f"{FACTS}\n{KOREAN}").share == 1


def test_what_is_described_in_another_script_cannot_be_compared():
    assert math.isnan(support("양봉가의 로맨스를 다룬 영화입니다.", FACTS).share)
    assert math.isnan(support("A horror film about tenants", KOREAN).share)
    assert math.isnan(support("A horror film about tenants", "").share)


@given(st.lists(st.sampled_from(WORDS), min_size=3, unique=True), st.integers(0, 3))
def test_the_share_is_that_of_the_foreign_words(own: list[str], foreign: int):
    strangers = ["zeppelin", "walrus", "harpsichord"][:foreign]
    found = support(" ".join([*own, *strangers]), FACTS)
    assert found.share == pytest.approx(foreign / (len(own) + foreign))


@given(st.text(), st.text())
def test_any_text_has_a_share_between_0_and_1_or_none(text: str, facts: str):
    share = support(text, facts).share
    assert math.isnan(share) or 0 <= share <= 1


@pytest.mark.parametrize("part", ["a", "drama ", "가", "오래된 아파트의 세입자가 ", "뷁꿿쉟 ", "é́"])
def test_a_megabyte_is_read_quickly(part: str):
    text = part * (1_000_000 // len(part))
    list(content_words("가").all)  # loads Kiwi
    start = time.process_time()
    support(text, text)
    assert time.process_time() - start < 10


def test_korean_without_kiwi_is_refused_and_not_guessed(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(__import__("sys").modules, "kiwipiepy", None)
    with pytest.raises(MissingExtra, match="llm"):
        content_words("처음 보는 문장에는 낱말이 있습니다")
    assert content_words("an English drama").stems == {"english", "drama"}
