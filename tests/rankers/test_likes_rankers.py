"""What holds for every ranker that learns from likes and looks at the history."""

from pathlib import Path

import numpy as np
import pytest

from rectune.core.settings.ranking import NETWORKS
from rectune.rankers.base import RANKERS, ranker_class
from tests.rankers.likes_world import (
    BLOCK_ITEMS,
    BLOCKS,
    block_table,
    data_of,
    fitted,
    histories_of,
    random_table,
)

FAMILIES = ("item_knn", "svd", "ease", "als")
EVERY = (*FAMILIES, "lightfm")  # which scores what nobody liked, and empty histories
SMALL = {  # for small worlds
    "svd": {"factors": 3},
    "als": {"factors": 3, "regularization": 1.0},
    "lightfm": {"components": 8, "epochs": 30},
}
HOSTILE = {
    "no user": np.zeros((0, 5), np.bool_),
    "no like": np.zeros((3, 5), np.bool_),
    "one user": np.array([[1, 1, 0, 0, 0]]),
    "one item": np.ones((3, 1)),
    "one like": np.eye(1, 5),
    "one item liked by all": np.array([[1, 0, 0], [1, 1, 0], [1, 0, 0]]),
    "everything liked by all": np.ones((6, 4)),
    "users alike": np.array([[1, 1, 0, 0, 0]] * 40),
    "more users than items": random_table(90, 3),
    "more items than users": random_table(3, 90),
}


@pytest.mark.parametrize("name", EVERY)
def test_new_users_get_the_rest_of_their_block_before_all_others(name: str):
    ranker = fitted(name, data_of(block_table()), **SMALL.get(name, {}))
    blocks = np.arange(BLOCKS * BLOCK_ITEMS) // BLOCK_ITEMS
    fresh = block_table(seed=1, users=5)
    for row, scores in zip(fresh, ranker.score_all(histories_of(fresh, ranker.item_ids)), strict=True):
        own = (blocks == blocks[np.flatnonzero(row)[0]]) & ~row
        assert scores[own].min() > scores[blocks != blocks[np.flatnonzero(own)[0]]].max()


@pytest.mark.parametrize("name", EVERY)
def test_neither_the_numbers_of_users_nor_the_order_of_items_matter(name: str):
    table = random_table(80, 30)
    ids = [f"i{n:03}" for n in range(30)]
    rng = np.random.default_rng(5)
    users, items = rng.permutation(80), rng.permutation(30)
    asked = [("i003", "i001"), ("i020",), tuple(ids[:12]), ("i029",)]
    plain = fitted(name, data_of(table, ids), **SMALL.get(name, {})).score_all(asked)
    shuffled = fitted(
        name,
        data_of(table[:, items], [ids[at] for at in items], users=users * 7 + 1000),
        **SMALL.get(name, {}),
    ).score_all(asked)
    np.testing.assert_allclose(shuffled[:, np.argsort(items)], plain, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("name", FAMILIES)
@pytest.mark.parametrize("world", HOSTILE)
def test_hostile_worlds_are_fitted_saved_and_scored(name: str, world: str, tmp_path: Path):
    table = HOSTILE[world].astype(np.bool_)
    for number, parameters in enumerate(ranker_class(name).grid):
        ranker = fitted(name, data_of(table), **parameters)
        histories = [(), ("nowhere",), ranker.item_ids, ranker.item_ids[:1], ranker.item_ids[-1:]]
        scores = ranker.score_all(histories)
        assert scores.shape == (5, table.shape[1]) and scores.dtype == np.float64
        assert np.isfinite(scores).all()
        assert not scores[:2].any() and not scores[:, ~table.any(0)].any()
        ranker.save(tmp_path / str(number))
        again = ranker_class(name).load(tmp_path / str(number))
        np.testing.assert_array_equal(again.score_all(histories), scores)
        assert ranker.score_all([]).shape == (0, table.shape[1])


@pytest.mark.parametrize("name", ["svd", "ease", "als"])
def test_an_item_that_is_twice_in_a_history_counts_once(name: str):
    ranker = fitted(name, data_of(random_table()))
    once, twice = ranker.score_all([("i000", "i001"), ("i000", "i001", "i000")])
    np.testing.assert_array_equal(once, twice)


@pytest.mark.parametrize("name", EVERY)
def test_a_history_scores_the_same_alone_and_among_many(name: str):
    """More than are scored at a time."""
    table = random_table(150, 40)
    ranker = fitted(name, data_of(table), **SMALL.get(name, {}))
    histories = histories_of(table, ranker.item_ids)
    together = ranker.score_all(histories)
    for at in (0, 63, 64, 149):
        np.testing.assert_allclose(ranker.score_all([histories[at]])[0], together[at], rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("name", FAMILIES)
def test_every_entry_of_the_grid_is_a_ranker_and_the_first_is_the_default(name: str, tmp_path: Path):
    grid = ranker_class(name).grid
    assert 3 <= len(grid) <= 6 and grid[0] == {}
    data, asked = data_of(random_table(300, 300)), [tuple(f"i{n:03}" for n in range(12)), ("i003",)]
    found = []
    for number, parameters in enumerate(grid):
        ranker = fitted(name, data, **parameters)
        ranker.save(tmp_path / str(number))
        loaded = ranker_class(name).load(tmp_path / str(number))
        assert {key: getattr(loaded, key) for key in parameters} == parameters
        found.append(ranker.score_all(asked))
        np.testing.assert_array_equal(loaded.score_all(asked), found[-1])
    assert all(not np.allclose(one, found[0]) for one in found[1:])


def test_the_rankers_that_learn_from_likes_say_so():
    learn = {name for name in RANKERS if ranker_class(name).learns_from_likes}
    networks = {*NETWORKS, "allmrec_items", "tallrec", "llmsrec", "mlp_llm", "allmrec", "allmrec_list"}
    assert learn == {
        "popularity",
        "recent_popularity",
        *EVERY,
        *networks,
        "lightfm_attributes",
        "hybrid_knn",
        "chosen",
    }
    assert {name for name in learn if ranker_class(name).costly} == networks
