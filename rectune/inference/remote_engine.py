"""A model behind an OpenAI-compatible server, run for a service as `LlamaEngine` runs one in this process."""

from __future__ import annotations

from collections import deque
from concurrent.futures import CancelledError, Future
from contextlib import ExitStack
from dataclasses import dataclass, replace
from queue import Empty, SimpleQueue
from typing import Any

from anyio.from_thread import BlockingPortal, start_blocking_portal

from rectune.core.errors import UserError
from rectune.inference.generate import ServedModel
from rectune.inference.jobs import Job, put_in_turn
from rectune.inference.requests import GenerationResult
from rectune.inference.scoring import ScoringJob
from rectune.inference.server import Ask, ServerBackend
from rectune.inference.stream import GenerationStream
from rectune.inference.token_budgets import SAME_LENGTHS

_LOOK = 0.05  # seconds that a step waits for an answer


@dataclass(frozen=True)
class _Open:
    """A request that was sent."""

    stream: GenerationStream
    answer: Future[GenerationResult]


class RemoteEngine:
    """Sends requests to a server, as many at once as there are slots; a context manager, for one thread.

    Answers come whole. A cancelled request's connection is closed, at which llama-server and vLLM stop
    writing. An answer that cannot be had ends with `finish` "error", and the next one is asked for all the
    same: a server that is gone for a while is no end of this engine. It cannot score: the chat API gives no
    log-probabilities of a text that the model did not write.

    Args:
        model: the server and the model's name there; `remote.concurrency` is the number of slots.

    Attributes:
        model: see there.
        slots: requests that are open at once.
        context: 0, since servers do not say it in one way.
        lengths: 1 for every language, since tokens are not known here.
        evaluated_prompt_tokens: tokens of the prompts of finished answers, as the server counted them.
    """

    def __init__(self, model: ServedModel) -> None:
        self.model, self.slots, self.context = model, model.remote.concurrency, 0
        self.lengths = SAME_LENGTHS
        self.evaluated_prompt_tokens = 0
        self._waiting: deque[GenerationStream] = deque()
        self._open: dict[Job, _Open] = {}
        self._ended: SimpleQueue[Job | None] = SimpleQueue()  # None: somebody has cancelled
        self._stack = ExitStack()
        self._portal: BlockingPortal | None = None
        self._ask: Ask | None = None

    @property
    def busy(self) -> bool:
        """Whether any request is open or waits."""
        return bool(self._waiting or self._open)

    def enqueue(self, job: GenerationStream | ScoringJob) -> None:
        """Queue a request; what is to be scored is refused."""
        if isinstance(job, ScoringJob):
            says = "a model behind a server cannot score"
            job.refuse(UserError(says, hint="give a GGUF file, which runs in this process"))
        else:
            put_in_turn(self._waiting, job)

    def cancel(self, job: Job) -> None:
        """End a request at the next step; any thread may call this."""
        self._ended.put(None)

    def step(self) -> None:
        """Send what a slot is free for, and wait a moment for an answer."""
        for job in [one for one in self._waiting if one.cancelled]:
            self._waiting.remove(job)
            job.give_up("cancelled")
        for stream in [one for one in self._open if one.cancelled]:
            self._open.pop(stream).answer.cancel()
            stream.give_up("cancelled")
        while self._waiting and len(self._open) < self.slots:
            self._send(self._waiting.popleft())
        try:
            ended = self._ended.get(timeout=_LOOK) if self._open else None
        except Empty:
            return
        if ended in self._open:
            self._end(self._open.pop(ended))

    def __enter__(self) -> RemoteEngine:
        with ExitStack() as stack:
            self._portal = stack.enter_context(start_blocking_portal())
            backend = ServerBackend(self.model.address, self.model.name, self.model.remote)
            self._ask = stack.enter_context(self._portal.wrap_async_context_manager(backend.asking()))
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *error: Any) -> None:
        for job, one in self._open.items():
            one.answer.cancel()
            job.give_up("cancelled")
        for waiting in self._waiting:
            waiting.give_up("cancelled")
        self._open.clear()
        self._waiting.clear()
        self._stack.close()

    def _send(self, stream: GenerationStream) -> None:
        assert self._portal and self._ask
        stream.begin()
        answer = self._portal.start_task_soon(self._ask, stream.request)
        self._open[stream] = _Open(stream, answer)
        answer.add_done_callback(lambda _: self._ended.put(stream))

    def _end(self, one: _Open) -> None:
        request = one.stream.request
        try:
            answer = one.answer.result()
        except (UserError, CancelledError) as problem:  # it is gone, or refuses all requests
            answer = GenerationResult(request.id, "", "error", 0, 0, str(problem) or "it was cancelled")
        self.evaluated_prompt_tokens += answer.prompt_tokens
        if answer.text:
            one.stream.write(answer.text)
        one.stream.end(replace(answer, id=request.id))
