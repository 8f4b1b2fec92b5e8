"""ALS: vectors of new users against implicit's own, the objective, seeds, and silence."""

import subprocess
import sys

import numpy as np
import pytest
from scipy.sparse import csr_array, csr_matrix

from rectune.core.errors import UserError
from rectune.rankers.als import Als
from tests.rankers.likes_world import data_of, histories_of, random_table


@pytest.mark.parametrize("alpha", [0.5, 1.0, 10.0])
def test_vectors_of_new_users_are_those_that_implicit_calculates(alpha: float):
    from implicit.cpu.als import AlternatingLeastSquares

    ranker = Als(8, alpha, 2.0).fit(data_of(random_table()))
    asked = random_table(9, seed=1)[:, ranker.covered]
    asked[3] = False
    rival = AlternatingLeastSquares(8, 2.0, alpha)
    rival.item_factors = ranker.item_vectors
    expected = rival.recalculate_user(np.arange(9), csr_matrix(asked.astype(np.float32)))
    found = ranker.user_vectors(csr_array(asked.astype(np.float32)))
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-5)
    scores = ranker.score_all(histories_of(asked, [ranker.item_ids[at] for at in ranker.covered]))
    products = expected @ ranker.item_vectors.T
    np.testing.assert_allclose(scores[:, ranker.covered], products, rtol=1e-3, atol=1e-5)
    assert not scores[3].any()


@pytest.mark.parametrize("alpha", [1.0, 5.0])
def test_no_other_user_vector_has_a_lower_loss(alpha: float):
    ranker = Als(4, alpha, 3.0).fit(data_of(random_table()))
    liked = random_table(1, seed=2)[0, ranker.covered]

    def loss(vector: np.ndarray) -> float:
        weights = np.where(liked, alpha, 1.0)
        return float(weights @ (liked - ranker.item_vectors @ vector) ** 2 + 3.0 * vector @ vector)

    (best,) = ranker.user_vectors(csr_array(liked[None].astype(np.float32)))
    rng = np.random.default_rng(0)
    assert all(loss(best) < loss(best + 0.05 * rng.standard_normal(4)) for _ in range(50))


def test_a_seed_gives_the_same_vectors_and_another_one_others():
    data = data_of(random_table(300, 60))
    first, again, other = (
        Als(5, regularization=0.1, iterations=2, seed=seed).fit(data).item_vectors for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(first, again)
    assert not np.allclose(first, other)


def test_fitting_writes_nothing_and_leaves_the_threads_of_blas_as_they_were():
    program = (
        "import warnings; warnings.simplefilter('error')\n"
        "from threadpoolctl import threadpool_info\n"
        "from rectune.rankers.als import Als\n"
        "from tests.rankers.likes_world import data_of, random_table\n"
        "import scipy.linalg\n"
        "data = data_of(random_table()); data.likes.matrix\n"
        "before = {one['filepath']: one['num_threads'] for one in threadpool_info()}\n"
        "Als(4).fit(data)\n"
        "after = {one['filepath']: one['num_threads'] for one in threadpool_info()}\n"
        "assert {name: after[name] for name in before} == before\n"
    )
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "", "")


def test_it_is_said_where_the_regularization_leaves_nothing(capsys):
    data = data_of(np.ones((9, 4), np.bool_))  # its singular value is 6
    Als(2, regularization=9.0).fit(data)
    assert "als: regularization 9 leaves next to nothing" in capsys.readouterr().err
    Als(2, regularization=4.0).fit(data)
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("name", ["factors", "alpha", "regularization", "iterations"])
def test_arguments_that_cannot_be_are_refused(name: str):
    with pytest.raises(UserError, match=f"{name} is 0"):
        Als(**{name: 0})
