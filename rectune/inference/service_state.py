"""Who waits for an engine and who is served, and what it has done: the bookkeeping of a service."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from rectune.core.errors import RectuneError
from rectune.inference.jobs import Job, Outcome, Priority

_HALF_LIFE = 60.0  # seconds of work after which what was measured counts half
_UNMEASURED = 5.0  # seconds to wait where nothing was measured yet
_SHORTEST, _LONGEST = 1.0, 120.0  # seconds that somebody is asked to wait


class EngineBusy(RectuneError):
    """The queue of an engine is full.

    Attributes:
        retry_after: seconds until what waits now will have been begun, at the rate of the last minute of
            work; a guess of 5 before anything was measured. Between 1 and 120.
    """

    def __init__(self, waiting: int, retry_after: float) -> None:
        self.retry_after = retry_after
        super().__init__(f"the engine is busy: {waiting} requests wait; try again in {retry_after:.0f} s")


class EngineClosed(RectuneError):
    """The engine takes nothing more: it was closed, is being drained, or has failed."""


class CallCancelled(RectuneError):
    """What was asked for was cancelled by whoever asked."""


@dataclass(frozen=True, slots=True)
class EngineSnapshot:
    """What a service has done since it was made, and what it does now.

    `accepted` is the sum of `waiting`, `active` and all values of `finished`.

    Attributes:
        slots: sequences that are generated together.
        active: requests that have a slot.
        waiting: requests that have none yet, of both priorities.
        waiting_background: those of them that are background.
        accepted: requests that were taken.
        refused: requests that were turned away because the queue was full.
        finished: outcome -> requests: stop, length, error, cancelled, scored.
        prompt_tokens: tokens of the prompts of finished requests.
        evaluated_prompt_tokens: tokens of prompts, of unfinished requests too, that were evaluated; what
            several prompts share counts once.
        tokens: tokens written by finished requests.
        rate: requests answered in a second of work, in the last minute of it; None before the first.
        seconds_since_step: since the engine last finished a step, and None before the first; while `active`
            is not 0, a large value means that it is stuck.
        draining: whether only what was taken is still finished.
        failure: what the engine failed with; empty while it works.
        closed: whether nothing is done any more.
    """

    slots: int
    active: int
    waiting: int
    waiting_background: int
    accepted: int
    refused: int
    finished: Mapping[Outcome, int]
    prompt_tokens: int
    evaluated_prompt_tokens: int
    tokens: int
    rate: float | None
    seconds_since_step: float | None
    draining: bool
    failure: str
    closed: bool


class ServiceState:
    """Bookkeeping of one service; every method may be called by any thread.

    Args:
        slots: of the engine.
        max_waiting: requests that may wait, interactive and background ones together, besides those for which
            a slot is free. Background ones may take half of the places.
    """

    def __init__(self, slots: int, max_waiting: int) -> None:
        self._slots, self._most = slots, max_waiting
        self._changed = threading.Condition()
        self._waiting: dict[Priority, dict[Job, None]] = {"interactive": {}, "background": {}}  # in order
        self._active: set[Job] = set()
        self._calls: set[object] = set()  # that were let in, and may go on while others are turned away
        self._patient: Counter[Priority] = Counter()  # who waits for a place
        self._finished: Counter[Outcome] = Counter()
        self._accepted = self._refused = self._prompt_tokens = self._tokens = self._evaluated = 0
        self._work, self._done = 0.0, 0.0  # seconds and requests, of which older ones count less
        self._ended = 0  # requests answered since the last step
        self._stepped: float | None = None
        self._draining, self._shut, self._failure = False, "", ""

    def admit(
        self, job: Job, put: Callable[[], None], call: object = None,
        stop: Callable[[], bool] | None = None, seconds: float | None = None,
    ) -> None:  # fmt: skip
        """Take a job, or refuse it.

        Args:
            job: the job.
            put: hands it to the engine; called while nobody else is admitted, so that both keep one order.
            call: what it belongs to, if that is more than this job; see `leave`.
            stop: waits for a place until this is true, in place of being refused; see `wake`.
            seconds: that it waits so, at most; without end if not given.

        Raises:
            EngineBusy: there is no place, or was none for so long.
            EngineClosed: nothing is taken.
            CallCancelled: `stop` was true before there was a place.
        """
        with self._changed:
            self._check_open(call)
            if stop is None and self._full(job.priority, self._patient[job.priority]):
                self._refused += call not in self._calls  # one that was let in comes again
                raise EngineBusy(self._queued, self._retry_after())
            if stop is not None:
                self._wait(job.priority, call, stop, seconds)
            self._accepted += 1
            self._waiting[job.priority][job] = None
            if call is not None:
                self._calls.add(call)
            put()

    def began(self, job: Job) -> None:
        """See `JobWatcher.began`."""
        with self._changed:
            if job in self._waiting[job.priority]:
                del self._waiting[job.priority][job]
                self._active.add(job)
                self._changed.notify_all()

    def ended(self, job: Job, outcome: Outcome, prompt_tokens: int, tokens: int) -> None:
        """See `JobWatcher.ended`."""
        with self._changed:
            self._waiting[job.priority].pop(job, None)
            self._active.discard(job)
            self._finished[outcome] += 1
            self._ended += outcome not in ("cancelled", "error")
            self._prompt_tokens += prompt_tokens
            self._tokens += tokens
            self._changed.notify_all()

    def stepped(self, seconds: float, evaluated_prompt_tokens: int) -> None:
        """The engine has done a step that took so long, and has evaluated so much in all its steps."""
        with self._changed:
            self._evaluated = evaluated_prompt_tokens
            kept = 0.5 ** (seconds / _HALF_LIFE)
            self._work = self._work * kept + seconds
            self._done = self._done * kept + self._ended
            self._ended = 0
            self._stepped = time.monotonic()

    def place(self, job: Job) -> int:
        """How many wait before a job; 0 for one that does not wait."""
        with self._changed:
            own = self._waiting[job.priority]
            if job not in own:
                return 0
            before = len(self._waiting["interactive"]) if job.priority == "background" else 0
            return before + list(own).index(job)

    def leave(self, call: object) -> None:
        """A call is over."""
        with self._changed:
            self._calls.discard(call)
            self._changed.notify_all()

    def wake(self) -> None:
        """Let those who wait for a place look whether they should stop."""
        with self._changed:
            self._changed.notify_all()

    def drain(self) -> None:
        """Take nothing new from now on, but from calls that are open."""
        with self._changed:
            self._draining = True
            self._changed.notify_all()

    def wait_until_idle(self, timeout: float) -> bool:
        """Wait until no job and no call is open; False if that has not come within so many seconds."""
        with self._changed:
            self._changed.wait_for(lambda: bool(self._shut) or self._idle, timeout)
            return self._idle

    def shut(self, why: str, failure: str = "") -> None:
        """Take nothing at all any more; the first reason stays."""
        with self._changed:
            self._shut = self._shut or why
            self._failure = self._failure or failure
            self._changed.notify_all()

    @property
    def closed(self) -> str:
        """Why nothing is taken any more; empty while something is."""
        return self._shut

    @property
    def failure(self) -> str:
        """See `EngineSnapshot.failure`."""
        return self._failure

    def open_jobs(self) -> list[Job]:
        """All that have not ended."""
        with self._changed:
            return self._jobs()

    def snapshot(self) -> EngineSnapshot:
        """The counters at this moment."""
        with self._changed:
            return EngineSnapshot(
                slots=self._slots,
                active=len(self._active),
                waiting=self._queued,
                waiting_background=len(self._waiting["background"]),
                accepted=self._accepted,
                refused=self._refused,
                finished=dict(self._finished),
                prompt_tokens=self._prompt_tokens,
                evaluated_prompt_tokens=self._evaluated,
                tokens=self._tokens,
                rate=self._rate,
                seconds_since_step=None if self._stepped is None else time.monotonic() - self._stepped,
                draining=self._draining and not self._shut,
                failure=self._failure,
                closed=bool(self._shut),
            )

    @property
    def _idle(self) -> bool:
        return not (self._jobs() or self._calls)

    def _jobs(self) -> list[Job]:
        return [*self._active, *self._waiting["interactive"], *self._waiting["background"]]

    @property
    def _queued(self) -> int:
        return sum(map(len, self._waiting.values()))

    @property
    def _rate(self) -> float | None:
        return self._done / self._work if self._done and self._work else None

    def _retry_after(self) -> float:
        rate = self._rate
        return _UNMEASURED if rate is None else min(_LONGEST, max(_SHORTEST, self._queued / rate))

    def _full(self, priority: Priority, before: int = 0) -> bool:
        """Whether there is no place for one more, with so many who get theirs before it."""
        background = len(self._waiting["background"])
        if priority == "background" and background + before >= max(1, self._most // 2):
            return True
        free = max(0, self._slots - len(self._active))  # given at the next step to as many that wait
        return self._queued + before >= self._most + free

    def _check_open(self, call: object) -> None:
        if self._shut or (self._draining and call not in self._calls):
            raise EngineClosed(f"the engine takes no requests: {self._shut or 'it is being shut down'}")

    def _wait(
        self, priority: Priority, call: object, stop: Callable[[], bool], seconds: float | None
    ) -> None:
        """Wait for a place, before all who come later."""
        self._patient[priority] += 1
        try:
            there = self._changed.wait_for(lambda: stop() or self._shut or not self._full(priority), seconds)
        finally:
            self._patient[priority] -= 1
        if stop():
            raise CallCancelled("the request was cancelled")
        self._check_open(call)
        if not there:
            raise EngineBusy(self._queued, self._retry_after())
