"""The words of a query that reasons name: nouns, names, and verbs and adjectives in any form."""

import pytest

from rectune.core.types import Item
from rectune.prompts.query_words import query_words

pytest.importorskip("kiwipiepy")


@pytest.mark.parametrize(
    ("text", "query", "named"),
    [
        ("조용한 사무실에서도 잘 들리는 헤드셋", "조용한 사무실용 키보드", ["조용한", "사무실"]),
        ("가볍고 튼튼한 우산", "가벼운 우산", ["가벼운", "우산"]),  # another form of the same adjective
        ("아주 무거운 우산", "가벼운 우산", ["우산"]),
        ("고기를 굽기 좋은 팬", "고기 굽는 팬", ["고기", "굽는", "팬"]),
        ("나는 책을 쓰고 간다", "소리가 나는 것을 쓸 때", []),  # auxiliaries and light verbs say nothing
        ("남북 분단을 다룬 영화", "남북 분단 이야기", ["남북 분단"]),
    ],
)
def test_verbs_and_adjectives_are_among_the_words(text: str, query: str, named: list[str]):
    assert query_words(Item("goods", "1", "이름", (), text), query) == named


def test_english_words_are_whole_words():
    item = Item("goods", "1", "Lamp", (), "A quiet lamp for reading")
    assert query_words(item, "a quiet read for the office") == ["quiet"]
