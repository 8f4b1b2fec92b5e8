"""An answer on its way: what a caller holds while an engine writes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from queue import SimpleQueue

from rectune.inference.requests import GenerationRequest, GenerationResult


class GenerationStream:
    """The text of one answer in pieces as they are written, and the whole answer in the end.

    Pieces are whole characters; what may yet turn out to begin a stop string is held back. They join to the
    answer's text, unless it ends in an error. Any thread may use a handle whose engine runs in a thread of
    its own; pieces then go to whoever asks first.

    Attributes:
        request: what is answered.
        cancelled: whether somebody asked to end it.
        ended: whether the answer is there.
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
            request: what is answered.
            cancel: tells the engine that the rest is not wanted.
            drive: makes the engine go on, where nothing does it unasked.
            on_end: gets the answer in the engine's thread.
        """
        self.request, self.cancelled, self.ended = request, False, False
        self._cancel, self._drive, self._on_end = cancel, drive, on_end
        self._arrived: SimpleQueue[str | GenerationResult] = SimpleQueue()

    def __iter__(self) -> Iterator[str]:
        while not isinstance(piece := self._next(), GenerationResult):
            yield piece

    def result(self) -> GenerationResult:
        """The whole answer, waiting for it; pieces not yet looked at are passed over."""
        while not isinstance(answer := self._next(), GenerationResult):
            pass
        return answer

    def cancel(self) -> None:
        """End the answer with what it has, at the engine's next step; nothing happens if it has ended."""
        self.cancelled = True
        self._cancel(self)

    def write(self, piece: str) -> None:
        """Engines give out text here."""
        self._arrived.put(piece)

    def end(self, answer: GenerationResult) -> None:
        """Engines give the answer here, once."""
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
