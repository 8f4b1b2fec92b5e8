"""The stream of an answer: what a caller holds while an engine generates."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from queue import SimpleQueue

from rectune.inference.jobs import Job, JobWatcher, Priority
from rectune.inference.requests import Finish, GenerationRequest, GenerationResult


class GenerationStream(Job):
    """The text of one answer in pieces as they are generated, and the whole answer at the end.

    Pieces are whole characters; text that may be the beginning of a stop string is held back. They join to
    the answer's text, unless it ends in an error. Any thread may read a stream whose engine runs in its own
    thread; each piece goes to the first reader.

    Attributes:
        request: the request.

    See `Job` for `priority`, `cancelled`, `ended` and `cancel`; a cancelled answer keeps its text so far.
    """

    def __init__(
        self,
        request: GenerationRequest,
        cancel: Callable[[Job], None],
        drive: Callable[[], object] | None = None,
        on_end: Callable[[GenerationResult], None] | None = None,
        *,
        on_write: Callable[[str], None] | None = None,
        priority: Priority = "interactive",
        watcher: JobWatcher | None = None,
    ) -> None:
        """Made by engines.

        Args:
            request: the request.
            cancel: tells the engine to stop.
            drive: runs a step of an engine that has no thread of its own.
            on_end: called with the answer in the engine's thread.
            on_write: called there with each piece of text, which then is not kept for iterating.
            priority, watcher: see `Job`.
        """
        super().__init__(cancel, priority, watcher)
        self.request = request
        self._drive, self._on_end, self._on_write = drive, on_end, on_write
        self._arrived: SimpleQueue[str | GenerationResult] = SimpleQueue()

    def __iter__(self) -> Iterator[str]:
        while not isinstance(piece := self._next(), GenerationResult):
            yield piece

    def result(self) -> GenerationResult:
        """Wait for the whole answer; pieces that were not read are dropped."""
        while not isinstance(answer := self._next(), GenerationResult):
            pass
        return answer

    def write(self, piece: str) -> None:
        """Add text; called by engines."""
        (self._on_write or self._arrived.put)(piece)

    def end(self, answer: GenerationResult) -> None:
        """Set the answer; called by engines. What comes after the first one changes nothing."""
        if not self._close(answer.finish, answer.prompt_tokens, answer.tokens):
            return
        self._arrived.put(answer)
        if self._on_end:
            self._on_end(answer)

    def give_up(self, finish: Finish, error: str = "") -> None:
        """See `Job.give_up`."""
        self.end(GenerationResult(self.request.id, "", finish, 0, 0, error))

    def _next(self) -> str | GenerationResult:
        while self._drive and self._arrived.empty():
            self._drive()
        arrived = self._arrived.get()
        if isinstance(arrived, GenerationResult):
            self._arrived.put(arrived)  # for whoever asks again
        return arrived
