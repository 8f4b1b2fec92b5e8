"""EASE against the literal formula, within a cap of memory, and mapped from disk."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rectune.core.errors import UserError
from rectune.rankers.ease import Ease
from tests.rankers.likes_world import data_of, histories_of, random_table


def literal(table: np.ndarray, regularisation: float) -> np.ndarray:
    """B in double precision, as the paper's equation 8 has it."""
    likes = table.astype(np.float64)
    inverse = np.linalg.inv(likes.T @ likes + regularisation * np.eye(table.shape[1]))
    weights = -inverse / np.diag(inverse)
    np.fill_diagonal(weights, 0.0)
    return weights


@given(st.integers(1, 40), st.integers(1, 25), st.integers(0, 99), st.sampled_from([0.5, 10.0, 300.0]))
@settings(max_examples=40, deadline=None)
def test_it_is_the_closed_form(users: int, items: int, seed: int, regularisation: float):
    table = random_table(users, items, seed)
    ranker = Ease(regularisation).fit(data_of(table))
    asked = random_table(5, items, seed + 1)
    expected = asked @ literal(table, regularisation) * table.any(0)
    found = ranker.score_all(histories_of(asked, ranker.item_ids))
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-5)
    assert ranker.coverage == 1.0


def test_a_catalogue_of_several_blocks_of_columns_is_the_closed_form_too():
    """More items than are multiplied at a time, and more than are mirrored at a time."""
    table = np.random.default_rng(0).random((300, 1100)) < 0.02
    ranker = Ease(50.0).fit(data_of(table))
    expected = table[:5] @ literal(table, 50.0) * table.any(0)
    found = ranker.score_all(histories_of(table[:5], ranker.item_ids))
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("within", [0, 1, 5])
def test_under_a_cap_the_most_liked_items_are_covered_and_it_is_said(within: int, capsys):
    table = random_table()
    ranker = Ease(max_bytes=4 * within**2 + 3).fit(data_of(table))
    order = sorted(np.flatnonzero(table.any(0)), key=lambda at: (-table[:, at].sum(), at))
    kept = order[:within]
    assert ranker.covered.tolist() == kept
    assert ranker.coverage == pytest.approx(within / len(order))
    scores = ranker.score_all(histories_of(table[:9], ranker.item_ids))
    expected = np.zeros((9, table.shape[1]))
    expected[:, kept] = table[:9, kept] @ literal(table[:, kept], 300.0)
    np.testing.assert_allclose(scores, expected, rtol=1e-3, atol=1e-6)
    said = capsys.readouterr().err
    assert f"the {within} most liked of {len(order)} liked items, by max_bytes" in said


def test_nothing_is_said_where_all_items_fit(capsys):
    Ease().fit(data_of(random_table()))
    assert capsys.readouterr().err == ""


def test_what_is_loaded_is_mapped_and_may_be_saved_over_itself(tmp_path: Path):
    table = random_table()
    Ease(20.0, max_bytes=400).fit(data_of(table)).save(tmp_path)
    loaded = Ease.load(tmp_path)
    history = histories_of(table[:5], loaded.item_ids)
    before = loaded.score_all(history)
    loaded.save(tmp_path)
    again = Ease.load(tmp_path)
    for ranker in (loaded, again):
        np.testing.assert_array_equal(ranker.score_all(history), before)
    assert (again.regularisation, again.max_bytes, again.coverage) == (20.0, 400, loaded.coverage)
    assert loaded.coverage < 1.0
    whole = (tmp_path / "arrays.safetensors").read_bytes()
    (tmp_path / "arrays.safetensors").write_bytes(whole[:-8])
    with pytest.raises(UserError, match="damaged"):
        Ease.load(tmp_path)


@pytest.mark.parametrize("regularisation", [0.0, -1.0, float("nan"), float("inf")])
def test_a_regularisation_that_cannot_be_is_refused(regularisation: float):
    with pytest.raises(UserError, match="regularisation is"):
        Ease(regularisation)
