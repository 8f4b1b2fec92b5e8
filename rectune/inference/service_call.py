"""What one request of a service asks of an engine, as a whole: let in once, cancelled together."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager

from rectune.inference.jobs import Job, Priority
from rectune.inference.requests import GenerationRequest, GenerationResult
from rectune.inference.scoring import TokenLogs
from rectune.inference.service import EngineService, Queued
from rectune.inference.service_state import CallCancelled
from rectune.inference.stream import GenerationStream


class EngineCall(AbstractContextManager["EngineCall"]):
    """A context manager, within which one request is answered; any thread may cancel it.

    What it asks for first is refused where the queue is full; what it asks for later waits for a place,
    before all who come newly, and is taken while the service is drained too.

    Args:
        service: runs the engine.
        priority: of all that it asks for.
    """

    def __init__(self, service: EngineService, priority: Priority = "interactive") -> None:
        self.service, self.priority = service, priority
        self._lock = threading.Lock()
        self._open = set[Job]()
        self._cancelled = self._let_in = False

    @property
    def cancelled(self) -> bool:
        """Whether `cancel` was called."""
        return self._cancelled

    @property
    def place(self) -> int:
        """How many requests wait before the first of this call that waits; 0 where none waits."""
        with self._lock:
            jobs = [job for job in self._open if not job.ended]
        return min((place for job in jobs if (place := self.service.place(job))), default=0)

    def cancel(self) -> None:
        """End all that is open at the engine's next step; whoever asks further gets `CallCancelled`."""
        with self._lock:
            self._cancelled = True
            jobs = list(self._open)
        for job in jobs:
            job.cancel()
        self.service.wake()

    def check(self) -> None:
        """Do nothing, unless it was cancelled.

        Raises:
            CallCancelled: it was.
        """
        if self._cancelled:
            raise CallCancelled("the request was cancelled")

    def submit(
        self,
        request: GenerationRequest,
        on_write: Callable[[str], None] | None = None,
        on_end: Callable[[GenerationResult], None] | None = None,
        *,
        wait: bool = True,
        seconds: float | None = None,
    ) -> GenerationStream:
        """Queue a request; see `EngineService.submit`.

        Args:
            request, on_write, on_end: see there.
            wait: for a place, where this is not the first that is asked for.
            seconds: that it waits so, at most; without end if not given.

        Raises:
            EngineBusy: the queue is full, or was for so long.
            EngineClosed: the service takes nothing more.
            CallCancelled: the call was cancelled.
        """
        stream = self.service.stream_of(request, self.priority, on_write, on_end)
        self._admit(stream, wait, seconds)
        return stream

    def loglikelihood(
        self, messages: Sequence[tuple[str, str]], continuations: Sequence[str], prefill: str = ""
    ) -> TokenLogs:
        """Score continuations; see `EngineService.loglikelihood`.

        Raises:
            UserError: the prompt with its longest continuation does not fit a sequence.
            EngineBusy, EngineClosed, CallCancelled: as `submit`.
        """
        job = self.service.scoring_of(messages, continuations, prefill, self.priority)
        self._admit(job, wait=True)
        try:
            return self.service.scores_of(job)
        finally:
            self.check()

    def close(self) -> None:
        """The request is answered: what it still has open is cancelled."""
        with self._lock:
            jobs = [job for job in self._open if not job.ended]
        for job in jobs:
            job.cancel()
        self.service.leave(self)

    def __exit__(self, *error: object) -> None:
        self.close()

    def _admit(self, job: Queued, wait: bool, seconds: float | None = None) -> None:
        self.check()
        stop = (lambda: self._cancelled) if self._let_in and wait else None
        self.service.admit(job, self, stop, seconds)
        with self._lock:
            self._let_in = True
            self._open = {one for one in self._open if not one.ended} | {job}
        if self._cancelled:  # between the two
            job.cancel()
