"""Hybrid item-kNN in worlds whose right answers are worked out by hand."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
from scipy.sparse import csr_array

from rectune.core.errors import UserError
from rectune.core.types import Item
from rectune.rankers.domain_data import DomainData, TrainLikes
from rectune.rankers.fit_cache import FittedData
from rectune.rankers.hybrid_knn import HybridKnn, neighbour_sums
from rectune.rankers.promoters import Promoters
from rectune.retrieval import embedding

# Who promoted what: a and c the same three users, a and b one of them, d nobody.
PROMOTED = {"a": (0, 1, 2), "b": (2, 3, 4), "c": (0, 1, 2), "d": (), "e": (9,)}
# By their texts a is nearest to b, then d, then c.
DIRECTIONS = {
    "text a": (1.0, 0.0),
    "text b": (0.96, 0.28),
    "text c": (0.0, 1.0),
    "text d": (0.6, 0.8),
    "text e": (-1.0, 0.0),
    "진격의 거인": (1.0, 0.0),
}


@pytest.fixture
def planted() -> Iterator[Callable[[Sequence[Item]], DomainData]]:
    def vectors(texts: Sequence[str]) -> embedding.Vectors:
        return np.array([DIRECTIONS[text] for text in texts], np.float32).reshape(len(texts), 2)

    embedding.register("planted", 2, vectors, english=True)

    def data(items: Sequence[Item]) -> DomainData:
        ids = tuple(item.item_id for item in items)
        pairs = [(user, at) for at, one in enumerate(ids) for user in PROMOTED[one]]
        users, liked = np.array(pairs, np.int64).T
        return DomainData("d", items, lambda: TrainLikes(ids, users, liked), "planted")

    yield data


FOUR = [Item("d", name, f"text {name}") for name in "abcd"]


def test_jaccard_is_the_share_who_agree_of_those_who_promoted_either(planted) -> None:
    found = Promoters(planted(FOUR).likes).jaccard(np.array([0, 3]))
    np.testing.assert_allclose(found, [[1, 1 / 5, 1, 0], [0, 0, 0, 0]])


def test_a_candidate_scores_how_often_it_comes_up_times_how_near_it_is(planted) -> None:
    """Two neighbours each: of a they are b (.96) and d (.6), of b they are a (.96) and d (.8)."""
    vectors = np.array(list(DIRECTIONS.values())[:4])
    both = csr_array(np.array([[1.0, 1.0, 0.0, 0.0]]))
    sums = neighbour_sums(both, lambda places: vectors[places] @ vectors.T, neighbours=2)
    frequency, nearness = np.array([1, 1, 0, 2]), np.array([0.96, 0.96, 0, (0.6 + 0.8) / 2])
    np.testing.assert_allclose(sums[0], frequency * nearness, rtol=1e-6)
    one = neighbour_sums(both, lambda places: vectors[places] @ vectors.T, neighbours=1)
    np.testing.assert_allclose(one[0], [0.96, 0.96, 0, 0], rtol=1e-6)


def test_items_as_near_as_the_last_neighbour_count_and_what_is_not_above_0_does_not() -> None:
    near = np.array([[1.0, 0.5, 0.5, -0.2]])
    history = csr_array(np.array([[1.0, 0.0, 0.0, 0.0]]))
    for neighbours, expected in ((1, [0, 0.5, 0.5, 0]), (9, [0, 0.5, 0.5, 0])):
        sums = neighbour_sums(history, lambda places: near[: len(places)].copy(), neighbours)
        np.testing.assert_allclose(sums[0], expected)


def test_each_weight_picks_its_own_where_jaccard_and_embedding_disagree(planted) -> None:
    data = planted(FOUR)
    for weight, first in ((0.0, "b"), (1.0, "c")):
        ranker = HybridKnn(neighbours=1, jaccard_weight=weight).fit(data)
        assert ranker.top([("a",)], 1)[0][0].item_id == first
    text = HybridKnn(jaccard_weight=0.0).fit(data).score_all([("a",)])
    likes = HybridKnn(jaccard_weight=1.0).fit(data).score_all([("a",)])
    both = HybridKnn(jaccard_weight=0.25).fit(data).score_all([("a",)])
    np.testing.assert_allclose(both, 0.75 * text + 0.25 * likes)
    for weight, first in ((0.1, "b"), (0.9, "c")):
        assert HybridKnn(jaccard_weight=weight).fit(data).top([("a",)], 1)[0][0].item_id == first


def test_an_item_that_nobody_promoted_is_found_by_its_text(planted) -> None:
    """Item e has promoters, but none of them promoted b, and its text is the opposite."""
    ranker = HybridKnn(neighbours=2).fit(planted([*FOUR, Item("d", "e", "text e")]))
    a, b, _, d, e = ranker.score_all([("b",)])[0]
    assert d > e == b and a > d
    assert ranker.top([("b",)], 1, within=("d", "e"))[0][0].item_id == "d"


def test_new_users_are_ranked_at_once_and_an_empty_history_scores_nothing(planted) -> None:
    ranker = HybridKnn().fit(planted(FOUR))
    nobody, stranger, once, twice = ranker.score_all([(), ("nowhere",), ("a", "b"), ("a", "b", "a")])
    assert not nobody.any() and not stranger.any() and once.any()
    np.testing.assert_array_equal(once, twice)
    assert ranker.score_all([]).shape == (0, 4)


def test_what_the_embedder_cannot_read_is_found_by_its_promoters_alone(planted) -> None:
    items = [*FOUR[:2], Item("d", "c", "진격의 거인"), FOUR[3]]
    # By the planted vectors c would be as near to a as can be, if it were read.
    data = planted(items)
    text = HybridKnn(jaccard_weight=0.0).fit(data).score_all([("a",), ("c",)])
    assert text[0].argmax() == 1 and not text[1].any()
    assert HybridKnn(jaccard_weight=1.0).fit(data).top([("c",)], 1)[0][0].item_id == "a"


def test_a_saved_one_scores_the_same(planted, tmp_path: Path) -> None:
    ranker = HybridKnn(neighbours=2, jaccard_weight=0.4).fit(planted(FOUR))
    ranker.save(tmp_path / "saved")
    again = HybridKnn.load(tmp_path / "saved")
    asked = [("a",), ("b", "d"), ()]
    np.testing.assert_array_equal(again.score_all(asked), ranker.score_all(asked))
    assert (again.neighbours, again.jaccard_weight) == (2, 0.4)


def test_the_embedder_reads_facts_and_description_and_likes_alone_do_not_identify_it(planted) -> None:
    plain = planted([Item("d", "a", "text a")])
    told = planted(
        [Item("d", "a", "text a", ("g", "h"), "Long ago.", facts=("studios: S", 'opinion: "Wow."'))]
    )
    assert plain.full_text("a") == plain.text("a") == "text a"
    assert told.full_text("a") == "text a. g, h. studios: S. Long ago."
    one, other = FittedData(plain), FittedData(told)
    assert one.identity("hybrid_knn") != other.identity("hybrid_knn")
    assert one.identity("item_knn") == other.identity("item_knn")


@pytest.mark.parametrize(
    "wrong", [{"neighbours": 0}, {"jaccard_weight": 1.5}, {"jaccard_weight": float("nan")}]
)
def test_weights_that_cannot_be_are_refused(wrong) -> None:
    with pytest.raises(UserError, match=next(iter(wrong))):
        HybridKnn(**wrong)
