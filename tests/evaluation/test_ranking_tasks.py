"""Protocols: what a target is ranked among."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from rectune.core.rows import read_rows
from rectune.core.settings import EvaluateConfig
from rectune.core.types import Case, grouped
from rectune.evaluation.ranking_tasks import (
    CandidateSampler,
    RankingTask,
    _draw,
    further_tasks,
    order_tasks,
    own_tasks,
    seen_items,
)
from rectune.evaluation.user_groups import by_history_length
from rectune.rankers.domain_data import TrainLikes, train_likes
from rectune.rankers.eval_cases import EvalCase
from tests.rankers.world import items, prompt, write_world


@pytest.fixture
def world(tmp_path: Path) -> tuple[list[EvalCase], CandidateSampler]:
    inputs = write_world(tmp_path)
    cases = read_rows(inputs["data"] / "cases.parquet", Case)
    tests = [EvalCase(c, prompt(c)) for c in cases if c.split == "test"]
    return tests, CandidateSampler(
        inputs["data"], tests, lambda domain: train_likes(inputs["data"], cases, domain)
    )


def config(**changes) -> EvaluateConfig:
    return EvaluateConfig(systems=["random"], **changes)


def test_drawn_candidates_hold_the_target_once_and_nothing_that_the_user_met(world):
    tests, pools = world
    for batch in further_tasks(
        tests, pools, config(protocols=["uniform", "popularity", "full"], num_candidate_draws=2)
    ):
        for task in batch:
            c = task.test.case
            assert task.candidates.count(c.target) == 1
            assert not set(c.history) & set(task.candidates)
            assert len(set(task.candidates)) == len(task.candidates)
            # 12 items, 4 in the history: the full catalogue is the other 8.
            assert len(task.candidates) == (8 if task.protocol == "full" else len(c.candidates))


def test_draws_differ_from_each_other_and_follow_from_the_seed(world):
    tests, pools = world

    def drawn(seed: int) -> list[tuple[str, ...]]:
        settings = config(protocols=["uniform"], num_candidate_draws=3, seed=seed)
        return [task.candidates for batch in further_tasks(tests, pools, settings) for task in batch]

    assert drawn(1) == drawn(1) != drawn(2)
    assert len({frozenset(one) for one in drawn(1)}) > len(tests)


def test_popular_items_are_drawn_in_proportion_and_unliked_ones_last():
    rng = np.random.default_rng(0)
    first = Counter(_draw(np.array([1.0, 3.0, 0.0]), 1, rng)[0] for _ in range(2000))
    assert 0.70 < first[1] / 2000 < 0.80 and not first[2]
    assert all(_draw(np.array([0.0, 3.0, 0.0]), 3, rng)[0] == 1 for _ in range(50))
    assert {tuple(_draw(np.zeros(2), 2, rng)) for _ in range(50)} == {(0, 1), (1, 0)}


def test_orders_permute_the_own_candidates_and_the_first_is_the_cases_own(world):
    tests, _ = world
    tasks = order_tasks(tests, 3, 0)
    assert [t for t in tasks if t.draw == 0] == own_tasks(tests)
    assert all(sorted(t.candidates) == sorted(t.test.case.candidates) for t in tasks)
    assert any(t.candidates != t.test.case.candidates for t in tasks)


def test_what_a_user_met_holds_disliked_items_too(tmp_path: Path):
    inputs = write_world(tmp_path)
    cases = read_rows(inputs["data"] / "cases.parquet", Case)
    tests = [EvalCase(c, prompt(c)) for c in cases if c.domain == "movies" and c.split == "test"]
    assert seen_items(inputs["data"], tests)["movies", "test0"] == {"m0", "m1", "m2", "m3", "m4"}


def test_groups_part_users_at_the_median_and_items_at_their_tails(world):
    tests, pools = world
    ids = tuple(item.item_id for item in items())
    counts = {"m4": 9, "m10": 0}  # the targets of the two tastes

    def likes(domain: str) -> TrainLikes:
        repeated = np.repeat(np.arange(12), [counts.get(f"m{item[1:]}", 3) for item in ids])
        return TrainLikes(tuple(domain[0] + item[1:] for item in ids), np.arange(len(repeated)), repeated)

    found = by_history_length(tests, pools, likes)
    assert {t.case.target[1:] for t in found["cold items"]} == {"10"}
    assert {t.case.target[1:] for t in found["warm items"]} == {"4"}
    assert len(found["few interactions"]) == 4 and "many interactions" not in found  # all met five items
    named = grouped(tests, lambda test: (test.case.domain, test.case.category))
    assert {name: len(group) for name, group in named.items()} == {"books": 2, "movies": 2}


def test_a_trial_knows_whose_it_is(world):
    test = world[0][0]
    assert RankingTask(test, "own", 0, ()).user == f"{test.case.domain}/{test.case.user}"
