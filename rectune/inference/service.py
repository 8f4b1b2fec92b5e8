"""One engine for many threads: several clients share the same loaded model."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any, Protocol

from rectune.core.errors import RectuneError, UserError
from rectune.core.types import Locale
from rectune.inference.generate import Model
from rectune.inference.jobs import Job, Priority
from rectune.inference.requests import Finish, GenerationRequest, GenerationResult
from rectune.inference.scoring import ScoringJob, TokenLogs
from rectune.inference.service_state import EngineClosed, EngineSnapshot, ServiceState
from rectune.inference.stream import GenerationStream

_WAITING = 2  # requests that may wait, by the slot

Queued = GenerationStream | ScoringJob


class ServableEngine(Protocol):
    """What a service needs of an engine; `rectune.inference.llamacpp.LlamaEngine` has it."""

    @property
    def model(self) -> Model:
        """The GGUF file, or the model of a server."""
        ...

    @property
    def slots(self) -> int:
        """The number of sequences that are generated together."""
        ...

    @property
    def context(self) -> int:
        """Tokens that a sequence may reach."""
        ...

    @property
    def lengths(self) -> Mapping[Locale, float]:
        """How many times the tokens of English the model needs in each language."""
        ...

    @property
    def busy(self) -> bool:
        """Whether any job is open."""
        ...

    @property
    def evaluated_prompt_tokens(self) -> int:
        """Prompt tokens that were evaluated; what several prompts share counts once."""
        ...

    def enqueue(self, job: Queued) -> None:
        """Queue a job; its `begin` is called when it gets its slot."""
        ...

    def cancel(self, job: Job) -> None:
        """End a job at the next step; any thread may call this."""
        ...

    def step(self) -> None:
        """Evaluate one batch for all open jobs."""
        ...

    def __enter__(self) -> object: ...

    def __exit__(self, *error: Any) -> object: ...


class EngineService(AbstractContextManager["EngineService"]):
    """Runs an engine in its own thread for the requests of all threads; a context manager.

    The service owns the engine and closes it: an engine of `rectune.inference.engine_cache`, which others may
    use too, is not for it.

    Args:
        engine: generates and scores.
        max_waiting: requests that may wait while no slot is free; two for each slot if not given. Background
            requests may take half of the places.

    Attributes:
        model: the GGUF file that the engine runs, or the model of a server that it asks.
        name: of the model, for clients.
        slots: sequences that are generated together.
        context: tokens that a sequence may reach, prompt and answer together.
        lengths: how many times the tokens of English the model needs in each language.
    """

    def __init__(self, engine: ServableEngine, max_waiting: int | None = None) -> None:
        self._engine = engine
        self.model, self.slots, self.context = engine.model, engine.slots, engine.context
        self.lengths = engine.lengths
        self.name = self.model.stem if isinstance(self.model, Path) else self.model.name
        places = _WAITING * engine.slots if max_waiting is None else max_waiting
        self._state = ServiceState(engine.slots, places)
        self._arrived: SimpleQueue[Queued | None] = SimpleQueue()  # None: look whether to go on
        self._thread = threading.Thread(target=self._run, name="engine", daemon=True)
        self._thread.start()

    def submit(
        self,
        request: GenerationRequest,
        *,
        priority: Priority = "interactive",
        on_write: Callable[[str], None] | None = None,
        on_end: Callable[[GenerationResult], None] | None = None,
    ) -> GenerationStream:
        """Queue a request; any thread may call this, and any thread may use the stream.

        Args:
            request: what is generated.
            priority: all that is interactive is begun before what is background.
            on_write, on_end: see `GenerationStream`; called in the engine's thread, so they must be quick.

        Raises:
            EngineBusy: the queue is full; it says when to try again.
            EngineClosed: the service is closed or being drained, or its engine has failed.
        """
        stream = self.stream_of(request, priority, on_write, on_end)
        self.admit(stream)
        return stream

    def loglikelihood(
        self,
        messages: Sequence[tuple[str, str]],
        continuations: Sequence[str],
        prefill: str = "",
        *,
        priority: Priority = "interactive",
    ) -> TokenLogs:
        """Score continuations in the engine's thread, in their turn; waits for the result.

        See `rectune.inference.llamacpp.LlamaEngine.loglikelihood`. What is being written goes on behind it:
        only one slot has to be free.

        Raises:
            UserError: the prompt with its longest continuation does not fit a sequence.
            EngineBusy: as `submit`.
            EngineClosed: as `submit`, or before there was a result.
        """
        job = self.scoring_of(messages, continuations, prefill, priority)
        self.admit(job)
        return self.scores_of(job)

    def place(self, job: Job) -> int:
        """How many requests wait before this one; 0 for one that does not wait any more."""
        return self._state.place(job)

    def snapshot(self) -> EngineSnapshot:
        """What the service has done, and what it does now."""
        return self._state.snapshot()

    def drain(self, timeout: float) -> bool:
        """Take nothing new, let what is open end, then close.

        Calls that are open (`rectune.inference.service_call.EngineCall`) may go on asking meanwhile.

        Args:
            timeout: seconds, after which what is still open is cancelled.

        Returns:
            Whether all had ended by itself.
        """
        self._state.drain()
        ended = self._state.wait_until_idle(timeout)
        self.close()
        return ended and not self._state.failure

    def close(self) -> None:
        """End all that is open as cancelled, then free the engine; may be called twice."""
        self._state.shut("it was closed")
        self._arrived.put(None)
        if threading.current_thread() is not self._thread:
            self._thread.join()

    def __exit__(self, *error: object) -> None:
        self.close()

    def stream_of(
        self,
        request: GenerationRequest,
        priority: Priority,
        on_write: Callable[[str], None] | None = None,
        on_end: Callable[[GenerationResult], None] | None = None,
    ) -> GenerationStream:
        """A stream that this service counts, not queued yet."""
        return GenerationStream(
            request, self._cancel, on_end=on_end, on_write=on_write, priority=priority, watcher=self._state
        )

    def scoring_of(
        self,
        messages: Sequence[tuple[str, str]],
        continuations: Sequence[str],
        prefill: str,
        priority: Priority,
    ) -> ScoringJob:
        """A scoring job that this service counts, not queued yet."""
        return ScoringJob(messages, continuations, prefill, self._cancel, priority, self._state)

    def admit(
        self, job: Queued, call: object = None, stop: Callable[[], bool] | None = None,
        seconds: float | None = None,
    ) -> None:  # fmt: skip
        """Queue a job; see `ServiceState.admit`."""
        self._state.admit(job, lambda: self._arrived.put(job), call, stop, seconds)

    def scores_of(self, job: ScoringJob) -> TokenLogs:
        """Wait for the result of a job; see `loglikelihood`."""
        try:
            return job.result()
        except UserError:
            raise
        except RectuneError:
            if self._state.closed:
                why = self._state.failure or self._state.closed
                raise EngineClosed(f"the engine ended before its scores: {why}") from None
            raise

    def leave(self, call: object) -> None:
        """A call of `admit` is over."""
        self._state.leave(call)

    def wake(self) -> None:
        """Let those who wait in `admit` look whether they should stop."""
        self._state.wake()

    def _cancel(self, job: Job) -> None:
        self._engine.cancel(job)
        self._arrived.put(None)

    def _run(self) -> None:
        """The engine's thread: takes in new requests and evaluates a batch, until the service is closed."""
        finish: Finish = "cancelled"
        try:
            with self._engine:
                while not self._state.closed:
                    self._take_in()
                    self._step()
        except Exception as problem:  # whatever it is, those who wait must hear of it
            finish, why = "error", str(problem) or type(problem).__name__
            self._state.shut(why, failure=why)
        for job in self._state.open_jobs():  # that the engine never had, or left behind
            job.give_up(finish, self._state.failure)

    def _step(self) -> None:
        if self._engine.busy and not self._state.closed:
            start = time.monotonic()
            self._engine.step()
            self._state.stepped(time.monotonic() - start, self._engine.evaluated_prompt_tokens)

    def _take_in(self) -> None:
        """Pass new requests to the engine; wait for one while there is nothing to do."""
        wait = not self._engine.busy
        while True:
            try:
                job = self._arrived.get(block=wait)
            except Empty:
                return
            wait = False
            if job:
                self._engine.enqueue(job)
