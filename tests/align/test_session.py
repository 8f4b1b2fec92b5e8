"""One annotator at work: orders, decisions, undo, pace."""

from __future__ import annotations

import pytest

from align.session import Choice, progress_line, shuffled
from align.tags import TagStore
from align.tasks import make_task
from rectune.errors import UserError
from rectune.types import Tag
from tests.align.examples import make_prompt, make_tasks, session


def test_what_is_picked_on_show_is_what_is_kept(store: TagStore) -> None:
    at = session(store)
    shown = list(at.answers)
    at.decide(3, 1)
    (kept,) = store.tags("kim")
    assert (at.tasks[0].text(kept.best), at.tasks[0].text(kept.worst)) == (shown[3], shown[1])
    assert [at.tasks[0].text(key) for key in kept.answers] == shown
    assert at.place == 1
    at.go(0)
    assert at.choice == Choice(3, 1)


def test_the_order_is_another_for_each_prompt_and_annotator_and_always_the_same() -> None:
    tasks = make_tasks(40)
    orders = {
        (n, who): [t.hashes.index(k) for k in shuffled(t, who)] for n, t in enumerate(tasks) for who in "ab"
    }
    assert len({tuple(order) for order in orders.values()}) > 30
    assert shuffled(tasks[0], "a") == shuffled(tasks[0], "a")
    firsts = [order[0] for order in orders.values()]
    assert all(5 <= firsts.count(place) <= 28 for place in range(5))  # 16 expected


def test_a_new_session_goes_on_at_the_first_open_task(store: TagStore) -> None:
    at = session(store)
    at.decide(0, 1)
    at.skip()
    again = session(store)
    assert (again.place, again.done, again.skipped) == (2, 2, 1)
    assert session(store, annotator="lee").place == 0


def test_undo_goes_back_to_the_start_and_no_further(store: TagStore) -> None:
    at = session(store)
    at.decide(0, 1)
    at.skip()
    at.decide(2, 3)
    assert at.finished
    places = []
    while at.undo():
        places.append(at.place)
    assert places == [2, 1, 0]
    assert store.decisions() == []


def test_going_back_replaces_a_choice_and_undo_restores_it(store: TagStore) -> None:
    at = session(store)
    at.decide(0, 1)
    at.go(0)
    at.decide(2, 3)
    at.go(0)
    assert at.choice == Choice(2, 3)
    assert at.undo()
    assert at.choice == Choice(0, 1)


def test_undo_does_not_touch_what_was_tagged_for_other_candidates(store: TagStore) -> None:
    session(store, [make_task(make_prompt(8), ("x", "y"))]).decide(0, 1)
    assert not session(store).undo()
    assert len(store.tags()) == 1


def test_two_prompts_with_one_text_are_kept_apart_by_their_answers(store: TagStore) -> None:
    twin = make_task(make_prompt(0, user="other"), ("x", "y"))
    at = session(store, [make_tasks(1)[0], twin])
    at.decide(0, 1)
    assert (at.done, at.place) == (1, 1)
    at.decide(1, 0)
    assert at.undo()
    assert (at.place, at.done) == (1, 1)


def test_pace_is_the_median_and_time_left_follows(store: TagStore) -> None:
    tasks = make_tasks(5)
    for task, seconds in zip(tasks, (10.0, 12.0, 4000.0), strict=False):
        store.add(Tag(task.key, task.hashes, task.hashes[0], task.hashes[1], "kim", 1.0, seconds))
    at = session(store, tasks)
    assert (at.pace, at.seconds_left) == (12.0, 24.0)
    assert progress_line(at) == "3 of 5 done · 12 s each · about 1 min left"
    assert progress_line(session(store, tasks, "new")) == "0 of 5 done"


def test_a_name_that_cannot_be_used_is_refused(store: TagStore) -> None:
    with pytest.raises(UserError, match="reserved"):
        session(store, annotator="simulated")
