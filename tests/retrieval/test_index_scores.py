"""The search in an index as scores of the whole catalogue, and within a part of it."""

from __future__ import annotations

import pytest

from rectune.core.types import Item
from rectune.retrieval import index_scores as module
from rectune.retrieval.index import build_index
from rectune.retrieval.index_scores import find_within, index_scores
from rectune.retrieval.search import CatalogueIndex
from tests.retrieval import letters  # noqa: F401

TITLES = ("Red kettle", "Blue kettle", "Red lamp", "Tea for two", "It's a kettle")
ITEMS = [Item("goods", str(at), title) for at, title in enumerate(TITLES)]
OTHER = [Item("books", "0", "The red kettle")]
IDS = tuple(item.item_id for item in ITEMS)
PLACE = {item: at for at, item in enumerate(IDS)}


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> CatalogueIndex:
    return build_index([*ITEMS, *OTHER], tmp_path_factory.mktemp("index"), "letters")


def test_the_best_hit_scores_most_and_the_order_is_that_of_the_search(index: CatalogueIndex) -> None:
    scores = index_scores(index, "goods", PLACE, ["red kettle", "tea"])
    assert scores.shape == (2, 5) and scores.argmax(axis=1).tolist() == [0, 3]
    hits = {hit.item_id: hit.score for hit in index.find(["red kettle"], "goods", 200)}
    assert scores[0].tolist() == [hits.get(item, 0.0) for item in IDS]


def test_within_a_part_nothing_else_is_found(index: CatalogueIndex) -> None:
    scores = index_scores(index, "goods", PLACE, ["red kettle"], {"1", "4"})
    assert (scores != 0).tolist() == [[False, True, False, False, True]]
    assert not index_scores(index, "goods", PLACE, ["red kettle"], set()).any()
    assert [hit.item_id for hit in find_within(index, "red kettle", "goods", 5, {"1", "2"}, {"2"})] == ["1"]


def test_of_very_many_ids_the_index_is_not_told(index: CatalogueIndex) -> None:
    many = {"1", "4", *(f"x{number}" for number in range(module._LISTED))}
    assert {hit.item_id for hit in find_within(index, "red kettle", "goods", 2, many)} == {"1", "4"}
