"""Who tags what, and what comes back: deterministic, fair, and the same without anybody being asked."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rectune.align.assignment import APART, TaskShowing, assigned, in_order
from rectune.align.tasks import AnnotationTask
from rectune.core.errors import UserError
from tests.align.examples import make_tasks

TASKS = make_tasks(400)
PEOPLE = ("a", "b", "c")


def shares(overlap: float, annotators: tuple[str, ...] = PEOPLE) -> dict[str, set[str]]:
    return {name: {task.key for task in assigned(TASKS, name, annotators, overlap)} for name in annotators}


def test_every_prompt_goes_to_exactly_one_without_overlap_and_to_all_with_a_full_one() -> None:
    alone = shares(0.0)
    assert sum(map(len, alone.values())) == len(set().union(*alone.values())) == 400
    assert all(100 <= len(share) <= 167 for share in alone.values())  # 133 expected, 3.5 deviations
    assert all(len(share) == 400 for share in shares(1.0).values())


def test_the_overlap_is_the_same_for_all_and_about_as_large_as_asked() -> None:
    found = shares(0.2)
    common = set.intersection(*found.values())
    assert 52 <= len(common) <= 108  # 80 expected
    assert not (found["a"] & found["b"]) - common
    assert set().union(*found.values()) == {task.key for task in TASKS}


def test_the_order_of_names_does_not_matter_and_a_newcomer_only_takes_over() -> None:
    before = shares(0.2)
    assert shares(0.2, ("c", "a", "b")) == before
    after = shares(0.2, (*PEOPLE, "d"))
    assert all(after[name] <= before[name] for name in PEOPLE)


@pytest.mark.parametrize(
    ("annotator", "annotators", "found"),
    [("d", PEOPLE, "none of"), ("a", ("a", "a"), "twice"), ("a", ("a", " "), "name")],
)
def test_names_that_make_no_sense_are_refused(
    annotator: str, annotators: tuple[str, ...], found: str
) -> None:
    with pytest.raises(UserError, match=found):
        assigned(TASKS, annotator, annotators, 0.2)


def places(tasks: list[AnnotationTask], annotator: str, share: float = 0.02) -> list[tuple[int, int]]:
    """Where each repeated task is shown first and again."""
    slots = in_order(tasks, annotator, share)
    assert [slot.task for slot in slots if not slot.repeat] == tasks
    return [(slots.index(TaskShowing(slot.task)), place) for place, slot in enumerate(slots) if slot.repeat]


@settings(max_examples=20, deadline=None)
@given(count=st.integers(1, 200), share=st.floats(0.0, 0.5), name=st.sampled_from(PEOPLE))
def test_repeats_are_as_many_as_asked_each_once_and_far_enough_behind(
    count: int, share: float, name: str
) -> None:
    found = places(TASKS[:count], name, share)
    assert len({first for first, _ in found}) == len(found) == int(count * share + 0.5)
    enough = count - APART
    near = [first for first, again in found if again - first - 1 < APART]
    assert all(first < again for first, again in found)
    assert len(near) <= max(len(found) - max(enough, 0), 0)


def test_two_percent_come_back_and_not_the_same_for_everybody() -> None:
    assert len(places(TASKS, "a")) == 8
    assert places(TASKS, "a") != places(TASKS, "b")
    assert places(TASKS, "a") == places(TASKS, "a")
    assert places(TASKS[:24], "a") == []


def test_a_repeat_is_shown_in_another_order() -> None:
    for task in TASKS[:100]:
        first, again = TaskShowing(task).order("a"), TaskShowing(task, repeat=True).order("a")
        assert first != again
        assert sorted(first) == sorted(again)
    assert len({TaskShowing(make_tasks(1, answers=2)[0], repeat=r).order("a") for r in (False, True)}) == 2


def test_names_are_told_apart_by_what_they_say_and_not_by_how_they_were_typed() -> None:
    tasks = make_tasks(30)
    mine = assigned(tasks, "kim", ["kim", "lee"], 0.0)
    assert assigned(tasks, "kim ", [" lee", "kim"], 0.0) == mine
    with pytest.raises(UserError, match="twice"):
        assigned(tasks, "kim", ["kim", "kim "], 0.0)
