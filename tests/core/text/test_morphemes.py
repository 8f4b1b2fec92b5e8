"""Morphemes of Korean and nouns of like meaning, by known answers."""

import pytest

from rectune.core.text.morphemes import PAIRS, is_word, morphemes_of, parts_of, segmenter, similar_nouns


def forms(text: str) -> list[str]:
    (found,) = morphemes_of([text])
    return [one.form for one in found]


@pytest.mark.parametrize(
    ("text", "nouns"),
    [
        ("등산화를 샀습니다", ["등산화", "사"]),
        ("등산 화", ["등산화"]),
        ("블루 투스 이어 폰", ["블루투스", "이어폰"]),
        ("여행가방추천", ["여행", "가방", "추천"]),
        ("김치냉장고", ["김치냉장고", "김치", "냉장고"]),
        ("예쁜 고양이는", ["예쁘", "고양이"]),
        ("그리고 또 아주", []),
        ("", []),
        ("lone \ud800 가방", ["가방"]),
    ],
)
def test_particles_and_spaces_leave_no_trace_and_compounds_are_taken_apart(text: str, nouns: list[str]):
    assert forms(text) == nouns


def test_verbs_and_adjectives_are_told_apart_and_so_are_unknown_words():
    (found,) = morphemes_of(["뷁쒧 가방이 예쁘다"])
    assert [(one.form, one.predicate, one.known) for one in found] == [
        ("뷁쒧", False, False),
        ("가방", False, True),
        ("예쁘", True, True),
    ]
    assert [(one.start, one.end) for one in found] == [(0, 2), (3, 5), (7, 9)]


def test_a_noun_is_a_compound_only_where_both_parts_are_nouns():
    assert parts_of("고등학교") == ("고등", "학교")
    assert parts_of("블루투스") == parts_of("학교") == ()


def test_nouns_of_like_meaning_are_like_by_what_is_above_one_half():
    near = similar_nouns("이혼")
    assert near["재혼"] > 0.3 > near.get("우주", 0.0)
    assert all(0 < share <= 1 for share in near.values()) and "이혼" not in near
    assert similar_nouns("뷁쒧") == {}


def test_words_of_the_dictionary_are_known_and_what_splits_names_itself(monkeypatch: pytest.MonkeyPatch):
    assert is_word("하지만") and is_word("가방") and not is_word("뷁쒧") and not is_word("여행가방을")
    assert segmenter().startswith("kiwipiepy ")
    monkeypatch.setitem(__import__("sys").modules, "kiwipiepy", None)
    assert segmenter() == PAIRS
