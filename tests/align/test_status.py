"""The status page of tagging: counts, agreement, self-agreement, and position bias."""

from __future__ import annotations

import time

from rectune.align.decisions import Decision, PromptNote
from rectune.align.status import comparison_status, status
from rectune.align.tasks import AnnotationTask
from tests.align.examples import make_tasks
from tests.align.test_comparison import at_work, comparison, prefer

TASKS = make_tasks(60)


def tag(
    task: AnnotationTask, best: int, worst: int, annotator: str = "kim", repeat: bool = False
) -> Decision:
    """A tag in the order of the task's own answers."""
    h = task.hashes
    return Decision("tag", task.key, h, h[best], h[worst], annotator, time.time(), 12.0, repeat)


def page(
    decisions: list[Decision], marks: list[PromptNote] | None = None, annotators: tuple[str, ...] = ()
) -> str:
    return status(TASKS, decisions, marks or [], annotators, 0.0)


def test_before_anybody_began() -> None:
    assert page([]) == "0 of 60 prompts are decided by somebody."


def test_counts_by_annotator_and_of_their_share() -> None:
    other = make_tasks(61)[60]
    decisions = [tag(TASKS[0], 0, 1), tag(other, 0, 1), tag(TASKS[1], 0, 1, "lee")]
    decisions += [
        Decision(kind, TASKS[n].key, TASKS[n].hashes, "", "", "kim", 1.0, 2.0)
        for n, kind in enumerate(("tie", "bad", "skip"), 2)
    ]
    found = page(
        decisions,
        [PromptNote("flag", TASKS[0].key, TASKS[0].hashes, "kim", 1.0, "x")],
        ("kim", "lee", "park"),
    )
    assert found.startswith("5 of 60 prompts")
    rows = {line.split()[0]: line.split() for line in found.splitlines()[2:6]}
    assert rows["kim"][4:11] == ["1", "1", "1", "1", "2", "s", "1"]
    assert rows["park"][1:5] == ["0", "of", rows["park"][3], "0"]
    assert sum(int(rows[name][3]) for name in ("kim", "lee", "park")) == 60


def test_agreement_is_one_where_all_agree_and_low_where_they_do_not() -> None:
    same = [tag(task, 0, 1, name) for task in TASKS[:30] for name in ("kim", "lee")]
    assert "best or not (nominal) 1.00" in page(same)
    assert "the 30 prompts" in page(same)
    opposed = [
        tag(task, *pick, name) for task in TASKS[:30] for name, pick in (("kim", (0, 1)), ("lee", (1, 0)))
    ]
    line = next(line for line in page(opposed).splitlines() if "nominal" in line)
    assert line.count("-0.25") == 2  # answers of five: what disagreeing always comes to
    assert "undefined" not in page(opposed)
    assert "one annotator only" in page(same[::2])


def test_the_chance_that_others_pick_the_same_is_taken_off() -> None:
    """Picks that have nothing to do with each other agree in a fifth of the prompts, and alpha is near 0."""
    drawn = [tag(task, n % 5, (n + 2) % 5) for n, task in enumerate(TASKS[:50])]
    drawn += [tag(task, (n // 5) % 5, (n // 5 + 3) % 5, "lee") for n, task in enumerate(TASKS[:50])]
    line = next(line for line in page(drawn).splitlines() if "nominal" in line)
    best = float(line.split("(nominal) ")[1].split()[0])
    assert abs(best) < 0.02


def test_repeats_tell_of_oneself_and_are_no_second_vote() -> None:
    decisions = [tag(task, 0, 1) for task in TASKS[:10]]
    decisions += [tag(TASKS[n], 0 if n < 3 else 2, 1, repeat=True) for n in range(4)]
    found = page(decisions)
    assert "same best in 3 of 4" in found and "same worst in 4 of 4" in found
    assert "10 of 60 prompts" in found and "one annotator only" in found


def test_picks_that_follow_the_place_are_called_uneven_and_spread_ones_are_not() -> None:
    first = page([tag(task, 0, 1 + n % 4) for n, task in enumerate(TASKS)])
    assert "100%" in first and "UNEVEN" in first
    spread = page([tag(task, n % 5, (n + 1) % 5) for n, task in enumerate(TASKS)])
    assert "p = 1.000" in spread and "UNEVEN" not in spread
    assert "too few to tell" in page([tag(TASKS[0], 0, 1)])


def test_a_comparison_says_who_judged_and_the_win_rate(store: object) -> None:
    from rectune.align.tags import TagStore

    assert isinstance(store, TagStore)
    prefer(at_work(store), "dpo")
    found = comparison_status(comparison(), store.standing())
    assert found.splitlines()[0] == "kim judged 1 of 5"
    assert "1 won" in found
