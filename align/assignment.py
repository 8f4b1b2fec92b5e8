"""Assignment of prompts to annotators, their order, and repeated prompts: all from hashes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rectune.align.decisions import check_annotator
from rectune.align.tasks import AnnotationTask
from rectune.core.errors import UserError
from rectune.core.types import content_id
from rectune.core.user_env import plain_name

REPEATS = 0.02  # share of an annotator's prompts that are repeated
APART = 20  # prompts at least between the first showing and the second, where there are that many


@dataclass(frozen=True, slots=True)
class TaskShowing:
    """One showing of a task; `repeat` for the second one."""

    task: AnnotationTask
    repeat: bool = False

    def order(self, annotator: str) -> tuple[str, ...]:
        """The hashes of the answers in the order shown, which depends on task and annotator alone.

        A repeat has another order than the first showing.
        """
        first = shuffled(self.task, annotator)
        if not self.repeat or len(first) < 2:
            return first
        again = shuffled(self.task, annotator, "again")
        return again if again != first else (*first[1:], first[0])


def shuffled(task: AnnotationTask, annotator: str, salt: str = "order") -> tuple[str, ...]:
    """The hashes of a task's answers in an order that depends on the arguments alone."""
    return tuple(sorted(task.hashes, key=lambda key: content_id(salt, task.key, annotator, key)))


def assigned(
    tasks: Sequence[AnnotationTask], annotator: str, annotators: Sequence[str], overlap: float
) -> list[AnnotationTask]:
    """The tasks of one of several annotators, in the order of the tasks.

    A prompt whose hash is below `overlap` (0 to 1) is assigned to all of them, any other to the one whose
    name hashed together with the prompt gives the largest number (rendezvous hashing): the assignment needs
    no coordination and does not depend on the order of the names, and an annotator who joins takes prompts
    from the others but moves none between them. Shares are equal up to chance.

    Raises:
        UserError: a name cannot be used or is there twice, or the annotator is not one of them.
    """
    annotator, annotators = plain_name(annotator), [plain_name(name) for name in annotators]
    for name in annotators:
        check_annotator(name)
    if len(set(annotators)) < len(annotators):
        raise UserError(
            f"a name is there twice: {', '.join(annotators)}",
            hint="name every annotator once in --annotators",
        )
    if annotator not in annotators:
        raise UserError(
            f"{annotator} is none of {', '.join(annotators)}",
            hint="give --annotator one of the names in --annotators",
        )
    return [task for task in tasks if _for_all(task, overlap) or _owner(task, annotators) == annotator]


def in_order(tasks: Sequence[AnnotationTask], annotator: str, repeats: float = REPEATS) -> list[TaskShowing]:
    """The tasks in their order, with some of them repeated later.

    Which ones are repeated, and where, depends on hashes: first of prompts with at least `APART` others after
    them, then of the rest, which are repeated at the end. Their number is `repeats` times that of the tasks,
    rounded.
    """
    count = int(len(tasks) * repeats + 0.5)
    last = len(tasks) - APART - 1  # the last place that has enough others behind it
    draws = [int(content_id("repeat", annotator, task.key, sorted(task.hashes)), 16) for task in tasks]
    chosen = sorted(range(len(tasks)), key=lambda place: (place > last, draws[place]))[:count]
    behind: dict[int, list[TaskShowing]] = {}  # place -> what follows on the first so many tasks
    for place in sorted(chosen):
        first = place + APART + 1
        room = len(tasks) - first
        after = first + draws[place] // 997 % (room + 1) if room >= 0 else len(tasks)
        behind.setdefault(after, []).append(TaskShowing(tasks[place], repeat=True))
    slots: list[TaskShowing] = []
    for place, task in enumerate(tasks, start=1):
        slots += [TaskShowing(task), *behind.get(place, ())]
    return slots


def _for_all(task: AnnotationTask, overlap: float) -> bool:
    return int(content_id("overlap", task.key)[:8], 16) < overlap * 16**8


def _owner(task: AnnotationTask, annotators: Sequence[str]) -> str:
    return max(annotators, key=lambda name: content_id("owner", task.key, name))
