"""PureSVD against the dense decomposition."""

import numpy as np
import pytest

from rectune.core.errors import UserError
from rectune.rankers.svd import Svd
from tests.rankers.likes_world import data_of, histories_of, random_table


def literal(table: np.ndarray, factors: int) -> np.ndarray:
    """V V' of the factors with the largest singular values."""
    rows = np.linalg.svd(table.astype(np.float64), full_matrices=False)[2][:factors]
    return rows.T @ rows


@pytest.mark.parametrize(
    ("users", "items", "factors"), [(60, 20, 3), (20, 60, 3), (200, 90, 20), (90, 200, 7)]
)
def test_it_is_the_dense_decomposition(users: int, items: int, factors: int):
    table = random_table(users, items)
    ranker = Svd(factors).fit(data_of(table))
    asked = random_table(7, items, seed=1) & table.any(0)
    found = ranker.score_all(histories_of(asked, ranker.item_ids))
    np.testing.assert_allclose(found, asked @ literal(table, factors), atol=1e-5)


def test_one_factor_of_a_block_of_likes_by_hand():
    """Two users like a and b, one likes a: the vector is the eigenvector of [[3, 2], [2, 2]]."""
    ranker = Svd(1).fit(data_of(np.array([[1, 1], [1, 1], [1, 0]])))
    vector = np.array([1.0, (17**0.5 - 1) / 4])
    expected = vector[0] * vector / (vector @ vector)
    np.testing.assert_allclose(ranker.score_all([("i000",)])[0], expected, rtol=1e-6)


def test_there_are_at_most_a_quarter_as_many_factors_as_users_or_items_and_it_is_said(capsys):
    table = random_table(60, 20)
    liked = np.count_nonzero(table.any(0))
    few, many = Svd(liked // 4).fit(data_of(table)), Svd(64).fit(data_of(table))
    assert capsys.readouterr().err.count(f"{liked // 4} factors in place of 64") == 1
    asked = histories_of(table[:9], few.item_ids)
    np.testing.assert_array_equal(few.score_all(asked), many.score_all(asked))


def test_singular_values_of_nothing_add_nothing():
    """Two hundred users of two kinds: of fifty factors asked for, two are of any use."""
    table = np.zeros((200, 200), np.bool_)
    table[::2, :100], table[1::2, 100:] = True, True
    ranker = Svd(50).fit(data_of(table))
    first = ranker.score_all([(ranker.item_ids[3],)])[0]
    np.testing.assert_allclose(first, np.where(np.arange(200) < 100, 0.01, 0.0), atol=1e-6)


@pytest.mark.parametrize("factors", [0, -3])
def test_no_factors_are_refused(factors: int):
    with pytest.raises(UserError, match="factors is"):
        Svd(factors)
