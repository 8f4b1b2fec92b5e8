"""Item-kNN against the dense formula, with and without shrinkage, on more than is multiplied at a time."""

import numpy as np
import pytest

from rectune.rankers.item_knn import ItemKnn
from tests.rankers.likes_world import data_of, histories_of


@pytest.mark.parametrize("shrinkage", [0.0, 10.0])
@pytest.mark.parametrize("last", [0, 3])
def test_it_is_the_dense_formula(shrinkage: float, last: int):
    rng = np.random.default_rng(0)
    table = rng.random((120, 150)) ** 2 < rng.random(150) ** 3 / 4
    table[:, 7] = False
    ranker = ItemKnn(last, shrinkage).fit(data_of(table))
    norms = np.sqrt(np.maximum(table.sum(0), 1))
    cosines = (table.T.astype(float) @ table) / (np.outer(norms, norms) + shrinkage)
    asked = rng.random((100, 150)) < 0.1
    asked[13] = False
    asked[14] = True
    counted = asked.copy()
    for row in counted if last else ():
        row[np.flatnonzero(row)[:-last]] = False
    found = ranker.score_all(histories_of(asked, ranker.item_ids))
    np.testing.assert_allclose(found, counted @ cosines, rtol=1e-5, atol=1e-7)
    assert not found[13].any() and not found[:, 7].any()


def test_an_item_that_is_twice_in_a_history_counts_twice():
    table = np.random.default_rng(0).random((50, 9)) < 0.4
    for ranker in (ItemKnn().fit(data_of(table)), ItemKnn(shrinkage=5.0).fit(data_of(table))):
        once, twice = ranker.score_all([("i001",), ("i001", "i001")])
        np.testing.assert_allclose(twice, 2 * once, rtol=1e-6)
