"""The stream of an answer: what a caller holds while an engine generates."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from queue import SimpleQueue

from rectune.inference.requests import GenerationRequest, GenerationResult


class GenerationStream:
    """The text of one answer in pieces as they are generated, and the whole answer at the end.

    Pieces are whole characters; text that may be the beginning of a stop string is held back. They join to
    the answer's text, unless it ends in an error. Any thread may read a stream whose engine runs in its own
    thread; each piece goes to the first reader.

    Attributes:
        request: the request.
        cancelled: whether `cancel` was called.
        ended: whether the answer is complete.
    """

    def __init__(
        self,
        request: GenerationRequest,
        cancel: Callable[[GenerationStream], None],
        drive: Callable[[], object] | None = None,
        on_end: Callable[[GenerationResult], None] | None = None,
    ) -> None:
        """Made by engines.

        Args:
            request: the request.
            cancel: tells the engine to stop.
            drive: runs a step of an engine that has no thread of its own.
            on_end: called with the answer in the engine's thread.
        """
        self.request, self.cancelled, self.ended = request, False, False
        self._cancel, self._drive, self._on_end = cancel, drive, on_end
        self._arrived: SimpleQueue[str | GenerationResult] = SimpleQueue()

    def __iter__(self) -> Iterator[str]:
        while not isinstance(piece := self._next(), GenerationResult):
            yield piece

    def result(self) -> GenerationResult:
        """Wait for the whole answer; pieces that were not read are dropped."""
        while not isinstance(answer := self._next(), GenerationResult):
            pass
        return answer

    def cancel(self) -> None:
        """End the answer with its text so far, at the engine's next step; nothing happens if it has ended."""
        self.cancelled = True
        self._cancel(self)

    def write(self, piece: str) -> None:
        """Add text; called by engines."""
        self._arrived.put(piece)

    def end(self, answer: GenerationResult) -> None:
        """Set the answer, once; called by engines."""
        self.ended = True
        self._arrived.put(answer)
        if self._on_end:
            self._on_end(answer)

    def _next(self) -> str | GenerationResult:
        while self._drive and self._arrived.empty():
            self._drive()
        arrived = self._arrived.get()
        if isinstance(arrived, GenerationResult):
            self._arrived.put(arrived)  # for whoever asks again
        return arrived
