"""`bm25` and `hybrid` over Korean catalogues, and over catalogues in two languages."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest

from rectune.core.errors import UserError
from rectune.core.types import Item
from rectune.rankers.base import fit_ranker
from rectune.rankers.baselines import Bm25
from rectune.rankers.domain_data import DomainData
from rectune.rankers.fit_cache import FittedData
from rectune.rankers.fusion import Hybrid
from rectune.retrieval.embedding import register

TITLES = {
    "hike": "등산화를 고르는 법",
    "boot": "등산 배낭과 등산화",
    "cook": "김치 담그기",
    "soup": "김치찌개 끓이기",
    "seven": "Se7en 세븐",
    "space": "Space Odyssey",
    "moon": "Moon Landing",
    "cake": "Chocolate Cake",
    "pasta": "Pasta Kitchen",
}
ITEMS = [Item("d", key, title) for key, title in TITLES.items()]

# Knows space and moon to be alike, and takes all Korean for one thing, which is next to space.
register(
    "english",
    3,
    lambda texts: np.array(
        [[0.6, 0.8, 0] if "Space" in t else [0.8, 0.6, 0] if "Moon" in t else [0, 1, 0] for t in texts],
        np.float32,
    ),
    english=True,
)
DATA = DomainData("d", ITEMS, embedder="english")


@pytest.mark.parametrize("name", ["bm25", "hybrid"])
def test_korean_and_english_items_of_one_catalogue_are_each_found_by_their_words(name: str):
    ranker = fit_ranker(name, DATA)
    tops = ranker.top([("hike",), ("cook",)], 1)
    assert [found[0].item_id for found in tops] == ["boot", "soup"]
    for query, item in (("배낭", "boot"), ("se7en", "seven"), ("세븐을", "seven"), ("moon", "moon")):
        scores = ranker.score_texts([query])[0]  # type: ignore[attr-defined]
        assert ranker.item_ids[int(scores.argmax())] == item


def test_hybrid_is_bm25_where_the_embedder_cannot_read_the_catalogue_or_the_history():
    korean = DomainData("d", ITEMS[:4], embedder="english")
    histories = [("hike",), ("cook", "hike")]
    orders = [
        [[one.item_id for one in found] for found in fit_ranker(name, korean).top(histories, 4)]
        for name in ("bm25", "hybrid")
    ]
    assert orders[0] == orders[1]
    words, both = (fit_ranker(name, DATA).score_all(histories) for name in ("bm25", "hybrid"))
    standard = (words - words.mean(axis=1, keepdims=True)) / words.std(axis=1, keepdims=True)
    np.testing.assert_allclose(both, standard / 2, atol=1e-9)
    texts = ["등산화"]
    words, both = Bm25().fit(DATA).score_texts(texts), Hybrid().fit(DATA).score_texts(texts)
    np.testing.assert_allclose(both, (words - words.mean()) / words.std() / 2, atol=1e-9)


def test_hybrid_still_goes_by_the_embedding_among_the_items_that_it_can_read():
    both, words = (fit_ranker(name, DATA).score_all([("space",)])[0] for name in ("hybrid", "bm25"))
    by_meaning = dict(zip(TITLES, both - (words - words.mean()) / words.std() / 2, strict=True))
    assert by_meaning["moon"] > 0.1 > -0.1 > by_meaning["cake"]
    np.testing.assert_allclose([by_meaning[key] for key in ("hike", "cook", "seven")], 0, atol=1e-9)


@pytest.mark.parametrize("ranker", [Bm25(), Hybrid()], ids=lambda ranker: ranker.name)
def test_a_saved_ranker_scores_korean_the_same_and_needs_the_same_kiwi(
    ranker: Bm25 | Hybrid, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    ranker.fit(DATA).save(tmp_path)
    again = type(ranker).load(tmp_path)
    histories, texts = [("hike",), ("space", "cook")], ["등산화", "moon", "산에 오르다"]
    np.testing.assert_array_equal(ranker.score_all(histories), again.score_all(histories))
    np.testing.assert_array_equal(ranker.score_texts(texts), again.score_texts(texts))
    monkeypatch.setitem(sys.modules, "kiwipiepy", None)
    with pytest.raises(UserError, match="split by kiwipiepy") as refused:
        type(ranker).load(tmp_path)
    assert refused.value.hint


def test_a_bm25_that_was_saved_before_there_were_morphemes_is_refused(tmp_path: Path):
    Bm25().fit(DATA).save(tmp_path)
    about = json.loads((tmp_path / "ranker.json").read_text(encoding="utf-8"))
    about["parameters"] = {"last": 10}
    (tmp_path / "ranker.json").write_text(json.dumps(about), encoding="utf-8")
    with pytest.raises(UserError, match="saved bm25 of format 1, not 2"):
        Bm25.load(tmp_path)


def test_what_was_fitted_with_kiwi_is_not_taken_for_what_was_fitted_without(monkeypatch: pytest.MonkeyPatch):
    def identities() -> list[str]:
        return [FittedData(DATA).identity(name) for name in ("bm25", "item_knn")]

    of_words, of_likes = identities()
    monkeypatch.setitem(sys.modules, "kiwipiepy", None)
    assert identities()[0] != of_words and identities()[1] == of_likes
