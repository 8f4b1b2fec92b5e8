"""Pairs from tags: what a tag implies, and annotators who contradict each other."""

from __future__ import annotations

from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rectune.align.decisions import Decision
from rectune.align.preferences import Tagged, implied, make_pairs
from rectune.align.tasks import AnnotationTask
from rectune.core.settings import AlignConfig
from tests.align.examples import make_tasks

TASK = make_tasks(1)[0]


def tagged(best: int, worst: int, annotator: str = "kim", task: AnnotationTask = TASK) -> Tagged:
    tag = Decision("tag", task.key, task.hashes, task.hashes[best], task.hashes[worst], annotator, 1.0, 1.0)
    return task, tag


def orders(tags: list[Tagged], **settings: str) -> set[tuple[str, str]]:
    found = make_pairs(tags, AlignConfig(**settings)).rows  # type: ignore[arg-type]
    return {(pair.chosen.split()[1], pair.rejected.split()[1]) for pair in found}


def test_a_tag_of_five_answers_makes_one_pair_or_seven() -> None:
    assert orders([tagged(0, 4)]) == {("0", "4")}
    seven = {("0", "4"), ("0", "1"), ("0", "2"), ("0", "3"), ("1", "4"), ("2", "4"), ("3", "4")}
    assert orders([tagged(0, 4)], pairs="all") == seven
    assert len(make_pairs([tagged(0, 4)], AlignConfig(pairs="all")).rows) == 7


@given(st.integers(0, 4), st.integers(0, 4))
def test_what_a_tag_implies_never_contradicts_itself(best: int, worst: int) -> None:
    if best == worst:
        return
    pairs = set(implied(tagged(best, worst)[1], "all"))
    assert not {(b, a) for a, b in pairs} & pairs
    assert {TASK.hashes[best] in pair or TASK.hashes[worst] in pair for pair in pairs} == {True}


def test_a_majority_settles_and_a_tie_leaves_out() -> None:
    two, one = [tagged(0, 1), tagged(0, 1, "lee")], [tagged(1, 0, "park")]
    found = make_pairs(two + one, AlignConfig())
    assert [(pair.chosen, pair.annotator) for pair in found.rows] == [("answer 0 to 0", "kim")]
    assert (found.contradicted, found.settled, found.agreed) == (1, 1, 1)
    tie = make_pairs(two[:1] + one, AlignConfig())
    assert (tie.rows, tie.contradicted, tie.settled) == ([], 1, 0)


def test_drop_leaves_out_whatever_is_contradicted_and_nothing_else() -> None:
    tags = [tagged(0, 4), tagged(0, 4, "lee"), tagged(4, 1, "park")]
    assert ("0", "4") in orders(tags, pairs="all")
    dropped = orders(tags, pairs="all", conflicts="drop")
    # Of the first two and the third: 0 over 4 against 4 over 0, 0 over 1 against no order, 1 over 4 against 4
    # over 1.
    assert not {("0", "4"), ("4", "0"), ("1", "4"), ("4", "1")} & dropped
    assert {("0", "1"), ("0", "2"), ("2", "4"), ("4", "3")} & dropped == {("0", "1"), ("0", "2")}


def test_agreement_counts_once() -> None:
    found = make_pairs([tagged(2, 3), tagged(2, 3, "lee")], AlignConfig())
    assert (len(found.rows), found.agreed, found.contradicted) == (1, 1, 0)


@pytest.mark.parametrize("conflicts", ["majority", "drop"])
@given(
    picks=st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)).filter(lambda p: p[0] != p[1]), max_size=6)
)
def test_no_two_pairs_ever_contradict_each_other(conflicts: str, picks: list[tuple[int, int]]) -> None:
    tags = [tagged(best, worst, f"a{number}") for number, (best, worst) in enumerate(picks)]
    found = make_pairs(tags, AlignConfig(pairs="all", conflicts=conflicts))  # type: ignore[arg-type]
    sides = [(pair.chosen, pair.rejected) for pair in found.rows]
    assert len(sides) == len(set(sides))
    assert not any(one == other[::-1] for one, other in combinations(sides, 2))
    assert found.contradicted >= found.settled
