"""What texts in Korean and other scripts are found by, and their scores, by construction."""

import sys
import unicodedata
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from bench.headlines import precision, read_goods
from rectune.core.errors import UserError
from rectune.retrieval.bm25 import K1, PREDICATE_WEIGHT, B, TermScores
from rectune.retrieval.terms import joined_terms, refuse_other_segmenter, segmenter_of, terms_of

SHELF = (
    "블루투스 이어폰",
    "등산화 추천",
    "텀블러 세트",
    "김치냉장고",
    "여행 가방",
    "Se7en 세븐 DVD",
    "Red Car",
    "美 대통령 방문",
    "大韓民國 지도",
    "예쁜 고양이 사진",
    "일본어 雪国 소설",
)
SCORES = TermScores.fitted(terms_of(SHELF))


def terms(text: str) -> list[str]:
    return next(terms_of([text]))


def best(query: str) -> str:
    """The title that scores most; empty where none scores."""
    scores = SCORES.score_texts([query])[0]
    return SHELF[int(scores.argmax())] if scores.max() > 0 else ""


@pytest.mark.parametrize(
    ("query", "title"),
    [
        ("이어폰을", "블루투스 이어폰"),
        ("블루 투스", "블루투스 이어폰"),  # spaces too many
        ("등산 화", "등산화 추천"),
        ("등산화추천해주세요", "등산화 추천"),  # and too few
        ("여행가방", "여행 가방"),
        ("냉장고", "김치냉장고"),  # a part of a compound
        ("세븐", "Se7en 세븐 DVD"),
        ("SE7EN", "Se7en 세븐 DVD"),
        ("ｓｅ７ｅｎ", "Se7en 세븐 DVD"),  # full-width letters
        ("RED", "Red Car"),
        ("美", "美 대통령 방문"),
        ("民國", "大韓民國 지도"),
        ("雪国の", "일본어 雪国 소설"),
        ("블르투스", "블루투스 이어폰"),  # typing errors
        ("이어푼을", "블루투스 이어폰"),
        ("텀블라가 좋다", "텀블러 세트"),
        ("예쁘다", "예쁜 고양이 사진"),
        ("강아지", "예쁜 고양이 사진"),  # of like meaning
        ("뷁쒧", ""),
        ("좋다", ""),
    ],
)
def test_a_query_finds_its_title(query: str, title: str):
    assert best(query) == title
    assert best(unicodedata.normalize("NFD", query)) == title


def test_decomposed_and_composed_titles_have_the_same_terms():
    for title in SHELF:
        assert terms(unicodedata.normalize("NFD", title)) == terms(title)


def test_every_run_of_letters_is_split_as_its_script_wants():
    assert terms("The Red-Car 2") == ["the", "red", "car", "2"]
    assert Counter(terms("LG전자 TV와 雪国を 읽었다")) == Counter(["lg", "tv", "雪国", "国を", "전자", "읽/"])
    assert list(joined_terms(["Red Car", "빨간 차", "雪国"])) == [None, "빨갛/ 차", "雪国"]


def test_without_kiwi_korean_is_split_into_pairs_of_letters(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "kiwipiepy", None)
    assert terms("축구를 봄 TV") == ["축구", "구를", "봄", "tv"]
    scores = TermScores.fitted(terms_of(["축구 경기", "야구"]))
    assert scores.score_texts(["축구를"])[0].argmax() == 0
    assert scores.score_texts(["축규"])[0].tolist() == [0, 0]


def test_scores_are_bm25_with_less_for_predicates_and_the_smaller_idf_for_like_nouns():
    documents = [["이혼", "예쁘/"], ["재혼"], ["우주"], ["우주"]]
    scores = TermScores.fitted(documents)
    idf = {n: np.log(1 + (4 - n + 0.5) / (n + 0.5)) for n in (1, 2)}

    def part(length: int) -> float:
        return 1 / (1 + K1 * (1 - B + B * length / 1.25))

    from rectune.core.text.morphemes import similar_nouns

    like = similar_nouns("이혼")["재혼"]
    found = scores.score_texts(["이혼"])[0]
    np.testing.assert_allclose(found, [idf[1] * part(2), like * idf[1] * part(1), 0, 0])
    np.testing.assert_allclose(scores.score_texts(["예쁘다"])[0][0], PREDICATE_WEIGHT * idf[1] * part(2))
    rare = TermScores.fitted([["이혼"], ["재혼"], ["재혼"], ["우주"]])
    found = rare.score_texts(["이혼"])[0]
    np.testing.assert_allclose(found[1] / found[0], like * idf[2] / idf[1])
    found = rare.score_texts(["재혼"])[0]
    np.testing.assert_allclose(found[0] / found[1], similar_nouns("재혼")["이혼"])


def test_what_was_split_in_another_way_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    assert segmenter_of(["red", "car"]) == ""
    made_with = segmenter_of(["red", "축구"])
    refuse_other_segmenter(made_with, tmp_path, "make it again")
    monkeypatch.setitem(sys.modules, "kiwipiepy", None)
    refuse_other_segmenter("", tmp_path, "make it again")
    with pytest.raises(UserError, match=r"split by kiwipiepy .* here by pairs of letters"):
        refuse_other_segmenter(made_with, tmp_path, "make it again")


def test_goods_and_books_of_a_subject_are_found_far_more_often_than_by_pairs_of_letters(
    monkeypatch: pytest.MonkeyPatch,
):
    goods = read_goods()
    assert Counter(Counter(goods.subjects.values()).values()) == {15: 10}
    keys, histories = sorted(goods.texts), goods.histories(5, 7)

    def mean_precision() -> float:
        scores = TermScores.fitted(terms_of(goods.texts[key] for key in keys))
        found = []
        for history in histories:
            row = scores.score_texts([goods.texts[key] for key in history]).sum(axis=0)
            order = [keys[at] for at in np.argsort(-row, kind="stable") if keys[at] not in history]
            found.append(precision(order, history, goods.subjects)[0])
        return float(np.mean(found))

    by_morphemes = mean_precision()
    monkeypatch.setitem(sys.modules, "kiwipiepy", None)
    assert by_morphemes > 0.5 > 0.4 > mean_precision()
