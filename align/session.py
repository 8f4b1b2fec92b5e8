"""One annotator at work: what is shown, in which order, and what was decided. No terminal here."""

from __future__ import annotations

import statistics
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from align.tags import Decision, TagStore, attached, by_prompt, check_annotator
from align.tasks import Task
from rectune.types import Tag, content_id

_PACE_OVER = 20  # decisions; their median forgives a coffee break

HELP = """\
Read the request, then say which answer helps this person most and
which helps least. The order of the answers means nothing: it is
shuffled for every request.

  1 2 3 ...  first press: the best answer; second press: the worst.
             Then it is saved. The first number again, or Escape,
             takes the first press back.
  s          skip: no fair choice here. A skip counts as done.
  u          undo the last decision, as often as you like
  t          show or hide what the person really took next
  n  p       next and previous request, also those that are done:
             a new choice replaces the old
  g          go to the first request that is not done
  Tab        which part the arrow and page keys move
  Space      a page down in that part
  ?          this help
  q          quit; all decisions are saved, the next start goes on here
"""


@dataclass(frozen=True, slots=True)
class Choice:
    """The two answers that were picked, as places from 0 in the order shown."""

    best: int
    worst: int


class Session:
    """Walks through tasks and keeps every decision in the store before it moves on.

    Args:
        tasks: at least one, in the order they are shown.
        targets: the title of the item really taken, by prompt id.

    Raises:
        UserError: the annotator's name cannot be used.
    """

    def __init__(
        self, tasks: Sequence[Task], store: TagStore, annotator: str, targets: Mapping[str, str]
    ) -> None:
        check_annotator(annotator)
        self.tasks, self.store, self.annotator = tasks, store, annotator
        self._targets = targets
        self._order = [shuffled(task, annotator) for task in tasks]
        self._decided: list[Decision | None] = []
        self._reload()
        self.place = 0
        self.go(self._next_open(0))

    @property
    def task(self) -> Task:
        """The task on show."""
        return self.tasks[self.place]

    @property
    def answers(self) -> list[str]:
        """The texts of its answers in the order shown."""
        return [self.task.text(key) for key in self._order[self.place]]

    @property
    def target(self) -> str:
        """What the person really took next."""
        prompt = self.task.prompt
        return self._targets.get(prompt.id, prompt.target)

    @property
    def choice(self) -> Choice | Literal["skip"] | None:
        """What was decided about the task on show; None while it is open."""
        decision, order = self._decided[self.place], self._order[self.place]
        if decision is None:
            return None
        return (
            "skip"
            if decision.kind == "skip"
            else Choice(order.index(decision.best), order.index(decision.worst))
        )

    @property
    def finished(self) -> bool:
        """Whether nothing is left to decide."""
        return self.done == len(self.tasks)

    @property
    def done(self) -> int:
        """How many tasks are tagged or skipped."""
        return sum(decision is not None for decision in self._decided)

    @property
    def skipped(self) -> int:
        """How many of them are skipped."""
        return sum(decision is not None and decision.kind == "skip" for decision in self._decided)

    @property
    def pace(self) -> float | None:
        """Seconds a decision: the median of the latest, also of earlier sittings; None before the first."""
        latest = sorted((d for d in self._decided if d), key=lambda d: d.time)[-_PACE_OVER:]
        return statistics.median(d.seconds for d in latest) if latest else None

    @property
    def seconds_left(self) -> float | None:
        """At this pace; None before the first decision."""
        return None if self.pace is None else self.pace * (len(self.tasks) - self.done)

    def decide(self, best: int, worst: int) -> None:
        """Keep a choice (places in the order shown, from 0) and go to the next task that is not done.

        Raises:
            ValueError: best and worst are the same.
            UserError: it could not be written; the task stays on show.
        """
        order = self._order[self.place]
        tag = Tag(
            self.task.key, order, order[best], order[worst], self.annotator, time.time(), self._elapsed()
        )
        self.store.add(tag)
        self._advance()

    def skip(self) -> None:
        """Keep a skip and go to the next task that is not done."""
        self.store.skip(self.task.key, self._order[self.place], self.annotator, self._elapsed())
        self._advance()

    def undo(self) -> bool:
        """Take the last decision back and show its task; False when there is none."""
        key = self.store.undo(self.annotator, ((task.key, task.hashes) for task in self.tasks))
        if key is None:
            return False
        before = self._decided
        self._reload()
        same = [place for place, task in enumerate(self.tasks) if task.key == key]
        changed = [place for place in same if before[place] != self._decided[place]]
        self.go((changed or same)[0])
        return True

    def go(self, place: int) -> None:
        """Show the task at this place; past either end it stays there."""
        self.place = min(max(place, 0), len(self.tasks) - 1)
        self._since = time.monotonic()

    def go_to_open(self) -> None:
        """Show the first task that is not done."""
        self.go(self._next_open(0))

    def _advance(self) -> None:
        self._reload()
        self.go(self._next_open(self.place))

    def _next_open(self, start: int) -> int:
        """The first task from `start` on that is not done, then from the beginning; `start` when all are."""
        around = [*range(start, len(self.tasks)), *range(start)]
        return next((place for place in around if self._decided[place] is None), start)

    def _reload(self) -> None:
        decided = by_prompt(self.store.decisions(self.annotator))
        found = [attached(decided.get(task.key, ()), task.hashes) for task in self.tasks]
        self._decided = [decisions[0] if decisions else None for decisions in found]

    def _elapsed(self) -> float:
        return round(time.monotonic() - self._since, 2)


def shuffled(task: Task, annotator: str) -> tuple[str, ...]:
    """The hashes of a task's answers in the order this annotator sees; it follows from the two alone."""
    return tuple(sorted(task.hashes, key=lambda key: content_id("order", task.key, annotator, key)))


def progress_line(session: Session) -> str:
    """How far the annotator is, how fast, and how long it will take."""
    total = len(session.tasks)
    parts = [f"{session.done} of {total} done"]
    if session.pace is not None:
        parts.append(f"{session.pace:.0f} s each")
    if session.seconds_left:
        parts.append(f"about {_duration(session.seconds_left)} left")
    return " · ".join(parts)


def _duration(seconds: float) -> str:
    minutes = max(round(seconds / 60), 1)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d} min"
