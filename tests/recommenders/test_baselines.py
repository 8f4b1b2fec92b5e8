from pathlib import Path

import numpy as np
import pytest

from recommenders.baselines import EmbeddingMean, Popularity, Random, liked_counts
from rectune.rows import read_rows
from rectune.types import Case
from tests.recommenders.world import case, items, write_world

CASES = [case("movies", f"u{taste}", "test", taste) for taste in (0, 1)]
HISTORIES = [c.history for c in CASES]
CANDIDATES = [CASES[0].candidates, CASES[1].candidates[:3]]

RANKERS = [Random(3), Popularity({"m1": 2}), EmbeddingMean({item.item_id: item for item in items()})]


@pytest.mark.parametrize("ranker", RANKERS, ids=lambda ranker: ranker.name)
def test_every_ranker_scores_each_candidate_and_no_case_touches_another(ranker):
    together = ranker.rank(HISTORIES, CANDIDATES)
    assert [scores.shape for scores in together] == [(5,), (3,)]
    assert all(np.isfinite(scores).all() for scores in together)
    alone = ranker.rank(HISTORIES[1:], CANDIDATES[1:])
    np.testing.assert_allclose(together[1], alone[0])
    assert ranker.rank([], []) == []


@pytest.mark.parametrize("ranker", RANKERS, ids=lambda ranker: ranker.name)
def test_every_ranker_takes_an_empty_history(ranker):
    assert ranker.rank([()], [("m1", "m2")])[0].shape == (2,)


def test_random_follows_its_seed():
    first, again, other = (Random(seed).rank(HISTORIES, CANDIDATES) for seed in (1, 1, 2))
    assert first[0].tolist() == again[0].tolist() != other[0].tolist()


def test_embedding_mean_finds_the_only_candidate_of_the_users_taste():
    scores = RANKERS[2].rank(HISTORIES, [c.candidates for c in CASES])
    for row, one in zip(scores, CASES, strict=True):
        assert one.candidates[int(row.argmax())] == one.target


def test_popularity_counts_what_train_users_liked_and_nothing_of_test_users(tmp_path: Path):
    inputs = write_world(tmp_path)
    cases = read_rows(inputs["data"] / "cases.parquet", Case)
    counts = liked_counts(inputs["data"], cases)
    # One train user likes items 0 to 4, two like item 7; what the test users like is not counted.
    assert counts["movies"] == {**{f"m{n}": 1 for n in range(5)}, "m7": 2}
    assert counts["books"] == {**{f"b{n}": 1 for n in range(5)}, "b7": 2}
    np.testing.assert_array_equal(Popularity(counts["movies"]).rank([()], [("m7", "m0", "m8")])[0], [2, 1, 0])
