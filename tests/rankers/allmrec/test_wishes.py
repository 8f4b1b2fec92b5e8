"""What training cases of A-LLMRec ask for in words: categories, and queries of train users alone."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from rectune.core.types import Prompt
from rectune.rankers.allmrec.items_ranker import AllmrecItems
from rectune.rankers.allmrec.ranker import AllmRec
from rectune.rankers.allmrec.train_cases import TrainCase
from rectune.rankers.allmrec.wishes import TrainWishes, train_queries
from tests.rankers.allmrec.joint_world import names, recommender, world
from tests.rankers.allmrec.soft_world import sharp_checkpoint

QUERIES = {"i0": ["a calm film", "something slow"], "i1": ["a loud film"]}
CATEGORIES = {"i0": ("Drama",), "i2": ("War",)}
CASES = [TrainCase((), f"i{user % 4}", user) for user in range(400)]


def prompt(user: str, split: str, query: str, target: str = "i0", domain: str = "movies") -> Prompt:
    return Prompt(
        f"{user}{split}{query}", domain, "active" if query else "passive", "direct", "en", split, user, "",
        "", (), (), target, query, "en/active/direct/plain", domain,
    )  # fmt: skip


def test_a_case_asks_by_a_query_or_a_category_as_its_target_has_them():
    wishes = TrainWishes(QUERIES, CATEGORIES, 0.5, 0)
    kinds = {
        target: {wishes.kind(case) for case in CASES if case.target == target}
        for target in "i0 i1 i2 i3".split()
    }
    assert kinds == {
        "i0": {None, "query", "category"}, "i1": {None, "query"}, "i2": {None, "category"}, "i3": {None},
    }  # fmt: skip
    rng = np.random.default_rng(0)
    said = {(case.target, wishes.kind(case)): set() for case in CASES}
    for case in CASES:
        said[case.target, wishes.kind(case)].add(wishes.wish(case, rng))
    assert said["i0", "query"] == set(QUERIES["i0"]) and said["i2", "category"] == {"War"}
    assert said["i0", None] == {""}


def test_cases_that_ask_are_counted_and_their_share_is_as_wanted():
    counts = TrainWishes(QUERIES, CATEGORIES, 0.5, 0).counts(CASES)
    assert 110 < sum(counts.values()) < 190  # half of the three quarters that have something to ask for
    every = TrainWishes(QUERIES, CATEGORIES, 1.0, 0).counts(CASES)
    assert sum(every.values()) == 300 and 120 < every["query"] < 180  # all of i1, and half of i0
    assert TrainWishes(QUERIES, CATEGORIES, 0.0, 0).counts(CASES) == {"query": 0, "category": 0}


def test_queries_are_those_of_users_who_are_in_no_other_split():
    found = train_queries(
        [
            prompt("ann", "train", "a calm film"), prompt("ann", "train", "a calm film"),
            prompt("bob", "train", "slow"), prompt("cay", "train", "loud", "i1"), prompt("cay", "test", ""),
            prompt("dan", "preference", "war"), prompt("eve", "test", "war"), prompt("fay", "train", ""),
            prompt("gus", "train", "a novel", "b1", "books"),
        ],
        "movies",
    )  # fmt: skip
    assert found == {"i0": ["a calm film", "slow"]}


@pytest.fixture(scope="module")
def items() -> AllmrecItems:
    data = world()
    return AllmrecItems(learning_rate=3e-3, epochs=2).fit_beside(recommender(data), data)


def test_queries_reach_the_training_and_its_record(items: AllmrecItems, tmp_path):
    def trained(queries: dict[str, list[str]]) -> AllmRec:
        ranker = AllmRec(
            model=str(sharp_checkpoint()), compute_dtype="float32", cases=8, epochs=1, shown=3, wish_share=1.0
        )
        ranker.queries = queries
        return ranker.fit_beside(items, world())

    every = [*names("w", 0), *names("w", 1)]
    plain, asked = trained({}), trained({item: ["ships at sea"] for item in every})
    assert plain.record.wishes == {"query": 0, "category": 0}  # the items have no categories
    assert asked.record.wishes == {"query": 8, "category": 0}
    states = [one.module.state_dict()["projections.item.layers.0.weight"] for one in (plain, asked)]
    assert not torch.equal(*states)
    asked.save(tmp_path)
    assert AllmRec.load(tmp_path).record.wishes == asked.record.wishes
