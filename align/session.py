"""An annotation session, without a terminal: the tasks shown, their order, and the decisions."""

from __future__ import annotations

import statistics
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from rectune.align.assignment import TaskShowing
from rectune.align.decisions import (
    LONGEST_NOTE,
    Decision,
    Kind,
    PromptNote,
    attached,
    check_annotator,
    subject_of,
)
from rectune.align.prompt_view import PromptView
from rectune.align.tags import TagStore
from rectune.align.tasks import AnnotationTask
from rectune.core.errors import UserError
from rectune.core.text.plain import duration
from rectune.core.user_env import plain_name

_PACE_OVER = 20  # latest decisions; the median ignores breaks

WORDS: Mapping[Kind, str] = {"tag": "tagged", "tie": "a tie", "bad": "all bad", "skip": "skipped"}


@dataclass(frozen=True, slots=True)
class PickedPair:
    """The two answers that were picked, as places from 0 in the order shown."""

    best: int
    worst: int


class AnnotationSession:
    """Goes through the tasks and stores every decision before it moves on.

    Args:
        slots: at least one, in the order they are shown.
        requests: the prompts as the annotator reads them, by prompt id.
        clock: gives the time in seconds since 1970.

    Raises:
        UserError: the annotator's name cannot be used.
    """

    def __init__(
        self,
        slots: Sequence[TaskShowing],
        store: TagStore,
        annotator: str,
        requests: Mapping[str, PromptView],
        clock: Callable[[], float] = time.time,
    ) -> None:
        check_annotator(annotator)
        annotator = plain_name(annotator)
        self.slots, self.store, self.annotator = slots, store, annotator
        self._requests, self._clock = requests, clock
        self._orders = [slot.order(annotator) for slot in slots]
        self._places: dict[str, list[int]] = {}
        for place, slot in enumerate(slots):
            self._places.setdefault(slot.task.key, []).append(place)
        self._subjects = {slot.task.subject for slot in slots}
        self._decided: list[Decision | None] = [None] * len(slots)
        self._marks: list[dict[str, str]] = [{} for _ in slots]
        self._read(store.standing(annotator), store.marks(annotator), self._places)
        self.place = 0
        self.go(self._next_open(0))

    @property
    def task(self) -> AnnotationTask:
        """The task on show."""
        return self.slots[self.place].task

    @property
    def request(self) -> PromptView:
        """The prompt of the task on show."""
        return self._requests[self.task.prompt.id]

    @property
    def answers(self) -> list[str]:
        """The texts of its answers in the order shown."""
        return [self.task.text(key) for key in self._orders[self.place]]

    @property
    def compares(self) -> bool:
        """Whether two models are compared: then only the better of two answers is picked."""
        return bool(self.task.systems)

    @property
    def choice(self) -> PickedPair | Literal["tie", "bad", "skip"] | None:
        """The decision on the task on show; None while it is open."""
        decision, order = self._decided[self.place], self._orders[self.place]
        if decision is None:
            return None
        if decision.kind != "tag":
            return decision.kind
        return PickedPair(order.index(decision.best), order.index(decision.worst))

    @property
    def note(self) -> str:
        """The annotator's note on the task; empty if there is none."""
        return self._marks[self.place].get("note", "")

    @property
    def flagged(self) -> bool:
        """Whether the annotator has flagged the task."""
        return "flag" in self._marks[self.place]

    @property
    def finished(self) -> bool:
        """Whether nothing is left to decide."""
        return self.done == len(self.slots)

    @property
    def done(self) -> int:
        """The number of decided showings."""
        return sum(decision is not None for decision in self._decided)

    @property
    def kinds(self) -> Counter[Kind]:
        """The number of decided showings by kind."""
        return Counter(decision.kind for decision in self._decided if decision)

    @property
    def pace(self) -> float | None:
        """Seconds per decision: the median of the latest, also of earlier sessions; None before the first."""
        latest = sorted((d for d in self._decided if d), key=lambda d: d.time)[-_PACE_OVER:]
        return statistics.median(d.seconds for d in latest) if latest else None

    @property
    def seconds_left(self) -> float | None:
        """At this pace; None before the first decision."""
        return None if self.pace is None else self.pace * (len(self.slots) - self.done)

    def decide(self, best: int, worst: int) -> None:
        """Store a choice (places in the order shown, from 0) and go to the next showing that is not done.

        Raises:
            ValueError: best and worst are the same.
            UserError: it could not be written; the task stays on show.
        """
        order = self._orders[self.place]
        self._keep("tag", order[best], order[worst])

    def settle(self, kind: Literal["tie", "bad", "skip"]) -> None:
        """Store that there is no best and worst, and go to the next open showing; raises as `decide`."""
        self._keep(kind, "", "")

    def undo(self) -> bool:
        """Undo the last decision and show its task; False if there is none."""
        undone = self.store.undo(self.annotator, self._subjects)
        if undone is None:
            return False
        before = list(self._decided)
        self._reload(undone.prompt)
        same = [place for place in self._places[undone.prompt] if self.slots[place].repeat == undone.repeat]
        changed = [place for place in same if before[place] != self._decided[place]]
        self.go((changed or same or self._places[undone.prompt])[0])
        return True

    def write_note(self, text: str) -> None:
        """Store a note on the task; empty removes it. Raises as `decide`, and if the note is too long."""
        line = " ".join(text.split())
        if len(line) > LONGEST_NOTE:
            raise UserError(f"a comment has at most {LONGEST_NOTE} characters, not {len(line)}")
        self._mark("note", line)

    def flag(self) -> None:
        """Flag the task on show, or remove its flag. Raises as `decide`."""
        self._mark("flag", "" if self.flagged else "flagged")

    def go(self, place: int) -> None:
        """Show the task at this place; places beyond the ends are clamped."""
        self.place = min(max(place, 0), len(self.slots) - 1)
        self._since = time.monotonic()

    def jump(self, number: str) -> None:
        """Show the showing with this number, counted from 1, as it was typed.

        Raises:
            UserError: there is none.
        """
        known = number.isascii() and number.isdigit() and len(number) < 10
        if not known or not 1 <= int(number) <= len(self.slots):
            raise UserError(f"there is no request {number[:20]}: they are numbered 1 to {len(self.slots)}")
        self.go(int(number) - 1)

    def go_to_open(self) -> bool:
        """Show the next prompt that is not done, after the current one, then from the start; False: none."""
        place = self._next_open(self.place + 1)
        found = self._decided[place % len(self.slots)] is None
        if found:
            self.go(place)
        return found

    def go_to_flagged(self) -> bool:
        """Show the next flagged task, after the current one, then from the start; False if there is none."""
        found = next((place for place in self._around(self.place + 1) if "flag" in self._marks[place]), None)
        if found is not None:
            self.go(found)
        return found is not None

    def _keep(self, kind: Kind, best: str, worst: str) -> None:
        task, order = self.task, self._orders[self.place]
        systems = tuple(task.systems[task.hashes.index(key)] for key in order) if task.systems else ()
        elapsed = round(time.monotonic() - self._since, 2)
        repeat = self.slots[self.place].repeat
        self.store.keep(
            Decision(
                kind, task.key, order, best, worst, self.annotator, self._now(), elapsed, repeat, systems
            )
        )
        self._reload(task.key)
        self.go(self._next_open(self.place))

    def _mark(self, kind: Literal["note", "flag"], text: str) -> None:
        task = self.task
        self.store.keep(PromptNote(kind, task.key, task.hashes, self.annotator, self._clock(), text))
        self._reload(task.key)

    def _now(self) -> float:
        """The time, but never before the latest decision, since the later counts, whatever the clock."""
        return max(self._clock(), *(decision.time for decision in self._decided if decision), 0.0)

    def _around(self, start: int) -> list[int]:
        """All places, from `start` on and then from the beginning."""
        return [*range(start, len(self.slots)), *range(min(start, len(self.slots)))]

    def _next_open(self, start: int) -> int:
        """The first place in this order that is not done; `start` if all are."""
        return next((place for place in self._around(start) if self._decided[place] is None), start)

    def _reload(self, key: str) -> None:
        """Read the decisions on one prompt again."""
        decisions = self.store.standing(self.annotator, key)
        self._read(decisions, self.store.marks(self.annotator, key), [key])

    def _read(self, decisions: Iterable[Decision], marks: Iterable[PromptNote], keys: Iterable[str]) -> None:
        decided: dict[str, list[Decision]] = {}
        marked: dict[object, dict[str, str]] = {}
        for decision in decisions:
            decided.setdefault(decision.prompt, []).append(decision)
        for mark in marks:
            marked.setdefault(subject_of(mark.prompt, mark.answers), {})[mark.kind] = mark.text
        for key in keys:
            for place in self._places[key]:
                slot = self.slots[place]
                self._decided[place] = _decision_on(slot, decided.get(key, []))
                self._marks[place] = marked.get(subject_of(key, slot.task.hashes), {})


def _decision_on(slot: TaskShowing, decided: Sequence[Decision]) -> Decision | None:
    """The valid decision on a showing, of one annotator's decisions on its prompt, oldest first."""
    task = slot.task
    if slot.repeat or task.systems:
        exact = [d for d in decided if d.subject == task.subject and d.repeat == slot.repeat]
        return exact[-1] if exact else None
    found = attached([d for d in decided if d.is_vote], task.hashes)
    return found[0] if found else None


def progress_line(session: AnnotationSession) -> str:
    """Progress, speed and remaining time of the annotator."""
    parts = [f"{session.done} of {len(session.slots)} done"]
    if session.pace is not None:
        parts.append(f"{session.pace:.0f} s each")
    if session.seconds_left:
        parts.append(f"about {duration(round(session.seconds_left))} left")
    return " · ".join(parts)
