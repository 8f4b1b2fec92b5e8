"""One annotator at work: orders, decisions, undo, pace."""

from __future__ import annotations

import pytest

from rectune.align.assignment import TaskShowing, in_order, shuffled
from rectune.align.decisions import LONGEST_NOTE, Decision
from rectune.align.prompt_view import PromptView
from rectune.align.session import AnnotationSession, PickedPair, progress_line
from rectune.align.tags import TagStore
from rectune.align.tasks import make_task
from rectune.core.errors import UserError
from tests.align.examples import make_prompt, make_tasks, session


def test_what_is_picked_on_show_is_what_is_kept(store: TagStore) -> None:
    at = session(store)
    shown = list(at.answers)
    at.decide(3, 1)
    (kept,) = store.tags("kim")
    assert (at.slots[0].task.text(kept.best), at.slots[0].task.text(kept.worst)) == (shown[3], shown[1])
    assert [at.slots[0].task.text(key) for key in kept.answers] == shown
    assert at.place == 1
    at.go(0)
    assert at.choice == PickedPair(3, 1)


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
    at.settle("skip")
    again = session(store)
    assert (again.place, again.done, again.kinds["skip"]) == (2, 2, 1)
    assert session(store, annotator="lee").place == 0


def test_undo_goes_back_to_the_start_and_no_further(store: TagStore) -> None:
    at = session(store)
    at.decide(0, 1)
    at.settle("skip")
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
    assert at.choice == PickedPair(2, 3)
    assert at.undo()
    assert at.choice == PickedPair(0, 1)


def test_undo_does_not_touch_what_was_tagged_for_other_candidates(store: TagStore) -> None:
    session(store, [make_task(make_prompt(8), ("x", "y"))]).decide(0, 1)
    assert not session(store).undo()
    assert len(store.tags()) == 1


def test_two_prompts_with_one_text_are_kept_apart_by_their_answers(store: TagStore) -> None:
    same_texts = make_task(make_prompt(0, user="other"), ("x", "y"))
    at = session(store, [make_tasks(1)[0], same_texts])
    at.decide(0, 1)
    assert (at.done, at.place) == (1, 1)
    at.decide(1, 0)
    assert at.undo()
    assert (at.place, at.done) == (1, 1)


def test_pace_is_the_median_and_time_left_follows(store: TagStore) -> None:
    tasks = make_tasks(5)
    for task, seconds in zip(tasks, (10.0, 12.0, 4000.0), strict=False):
        store.keep(
            Decision("tag", task.key, task.hashes, task.hashes[0], task.hashes[1], "kim", 1.0, seconds)
        )
    at = session(store, tasks)
    assert (at.pace, at.seconds_left) == (12.0, 24.0)
    assert progress_line(at) == "3 of 5 done · 12 s each · about 24 s left"
    assert progress_line(session(store, tasks, "new")) == "0 of 5 done"


def test_a_name_that_cannot_be_used_is_refused(store: TagStore) -> None:
    with pytest.raises(UserError, match="reserved"):
        session(store, annotator="simulated")


def test_ties_and_all_bad_are_done_but_no_tags_and_undo_takes_them_back(store: TagStore) -> None:
    at = session(store)
    at.settle("tie")
    at.settle("bad")
    assert (at.done, store.tags()) == (2, [])
    at.go(0)
    assert at.choice == "tie"
    assert at.undo() and at.undo()
    assert (at.place, at.done) == (0, 0)


def test_notes_and_flags_stay_and_are_taken_away_again(store: TagStore) -> None:
    at = session(store)
    at.write_note("  두 답이\n비슷하다 ")
    at.flag()
    at.decide(0, 1)
    again = session(store)
    assert (again.place, again.note, again.flagged) == (1, "", False)
    assert again.go_to_flagged()
    assert (again.place, again.note, again.flagged) == (0, "두 답이 비슷하다", True)
    again.write_note("")
    again.flag()
    assert (again.note, again.flagged, again.go_to_flagged()) == ("", False, False)
    assert session(store, annotator="lee").note == ""
    assert store.marks() == []


def test_jumping_to_a_number_and_to_the_next_open_one(store: TagStore) -> None:
    at = session(store)
    at.jump("3")
    assert at.place == 2
    for wrong in ("0", "4", "x", "", "-1", "²", "9" * 30):
        with pytest.raises(UserError, match="numbered 1 to 3"):
            at.jump(wrong)
    assert at.go_to_open() and at.place == 0
    at.decide(0, 1)
    at.decide(0, 1)
    at.go(0)
    assert at.go_to_open() and at.place == 2
    at.decide(0, 1)
    assert not at.go_to_open()
    assert at.place == 2


def repeated(store: TagStore, count: int = 50) -> AnnotationSession:
    tasks = make_tasks(count)
    requests = {task.prompt.id: PromptView(task.prompt, "") for task in tasks}
    return AnnotationSession(in_order(tasks, "kim", 0.02), store, "kim", requests)


def test_a_prompt_that_comes_back_is_asked_again_and_changes_no_vote(store: TagStore) -> None:
    at = repeated(store)
    (place,) = [place for place, slot in enumerate(at.slots) if slot.repeat]
    first = at.slots.index(TaskShowing(at.slots[place].task))
    while at.place < place:
        at.decide(0, 1)
    votes, digest = store.tags(), store.digest()
    assert (at.place, at.choice) == (place, None)
    at.decide(0, 1)
    assert (store.tags(), store.digest()) == (votes, digest)
    assert [d.repeat for d in store.standing()].count(True) == 1
    again = repeated(store)
    again.go(place)
    assert again.choice == PickedPair(0, 1)
    again.go(first)
    assert again.choice == PickedPair(0, 1)
    assert again.undo()
    assert (again.place, again.choice) == (place, None)
    assert len(store.tags()) == len(votes)


def test_a_clock_that_was_set_back_does_not_let_an_old_decision_count(store: TagStore) -> None:
    tasks = make_tasks(2)
    requests = {task.prompt.id: PromptView(task.prompt, "") for task in tasks}
    at = AnnotationSession(
        in_order(tasks, "kim", 0.0), store, "kim", requests, clock=iter((100.0, 1.0)).__next__
    )
    at.decide(0, 1)
    at.go(0)
    at.decide(2, 3)
    again = session(store)
    again.go(0)
    assert again.choice == PickedPair(2, 3)


def test_two_terminals_of_one_annotator_see_each_others_decisions_at_the_next_one(store: TagStore) -> None:
    one, other = session(store), session(store)
    one.decide(0, 1)
    other.decide(2, 3)
    assert [t.best for t in store.tags()] == [shuffled(one.slots[0].task, "kim")[2]]


def test_a_comment_that_is_too_long_is_refused(store: TagStore) -> None:
    at = session(store)
    with pytest.raises(UserError, match="at most"):
        at.write_note("x" * (LONGEST_NOTE + 1))
    at.write_note("x" * LONGEST_NOTE)
    assert len(session(store).note) == LONGEST_NOTE
