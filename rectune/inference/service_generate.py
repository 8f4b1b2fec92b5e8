"""`rectune.inference.generate.generate` for one request of a service: nothing of it is kept anywhere."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from queue import Empty, SimpleQueue

from rectune.core.errors import UserError
from rectune.core.settings import EngineConfig
from rectune.core.types import content_id
from rectune.inference.generate import Model, OnAnswer, check_failures
from rectune.inference.generation_cache import request_key
from rectune.inference.requests import GenerationRequest, GenerationResult
from rectune.inference.sentences import SentenceReader
from rectune.inference.service_call import EngineCall
from rectune.inference.service_state import EngineBusy, EngineClosed
from rectune.inference.stream import GenerationStream
from rectune.inference.token_budgets import with_budgets

_FEWER = "ask for less, or give the engine a larger context"
_STEP = 0.5  # seconds that the engine has to end what is stopped; else what it wrote so far is taken
_NONE_LEFT = 0.001  # seconds

Left = Callable[[], float | None]
"""The seconds that are left, 0 or less where it is over; None while there is no end."""


@dataclass(frozen=True, slots=True)
class Sentence:
    """A finished sentence of an answer, as the model wrote it: nothing has checked it yet.

    Attributes:
        request_id: of the request that is answered.
        number: of the sentence in the answer, from 0; a prefill is no part of the answer.
        text: without white space around it.
    """

    request_id: str
    number: int
    text: str


@dataclass(frozen=True)
class ServiceGenerate:
    """Answers as `rectune.inference.generate.generate` does, through a call of an engine service.

    There is no generation cache: the path of one that is given is not touched. Requests that differ only in
    their id are generated once. As many requests of a call as there are slots are in the queue at a time, so
    that one call does not fill it.

    Attributes:
        call: what is cancelled ends as `CallCancelled`.
        variation: other numbers give other answers to the same requests; 0 leaves their seeds as they are.
        on_sentence: hears of every finished sentence, in the thread that asked; what it raises cancels the
            answers. The last words of an answer that was cut off are no sentence.
        left: when none is left, what is being written is stopped: `finish` is "cancelled", and the text what
            there was. It is asked in the thread that asked, again after each answer and sentence.
    """

    call: EngineCall
    variation: int = 0
    on_sentence: Callable[[Sentence], None] | None = None
    left: Left = lambda: None

    def __call__(
        self,
        model: Model,
        requests: Sequence[GenerationRequest],
        engine: EngineConfig,
        generation_cache: Path,
        label: str,
        failures: float = 1.0,
        *,
        on_answer: OnAnswer | None = None,
    ) -> list[GenerationResult]:
        """The answers, in the order of `requests`; `finish` "error" says of one why there is none.

        Args:
            model: the one that the service runs.
            requests: what to answer.
            engine: not used; the service's own settings run it.
            generation_cache: not used.
            label: names the work in errors.
            failures: the share of the requests that may fail.
            on_answer: hears of each answer, by its place in `requests`, as it ends.

        Raises:
            EngineBusy: the queue is full, nothing of this call was taken yet, and time is left.
            EngineClosed: the service takes nothing more, or has ended before all was answered.
            CallCancelled: the call was cancelled.
            UserError: another model, or more failures than allowed.
        """
        service = self.call.service
        if _place(model) != _place(service.model):
            raise UserError(f"the service runs {service.model}, not {model}", where=label)
        asked = [self._varied(one) for one in with_budgets(requests, service.lengths, service.context)]
        places: dict[bytes, list[int]] = {}
        for at, request in enumerate(asked):
            places.setdefault(request_key("", request, hold=False), []).append(at)
        found: dict[int, GenerationResult] = {}

        def keep(first: int, answer: GenerationResult) -> None:
            for at in places[request_key("", asked[first], hold=False)]:
                found[at] = replace(answer, id=requests[at].id)
                if on_answer:
                    on_answer(at, found[at])

        _Round(self, keep).run([(some[0], asked[some[0]]) for some in places.values()])
        check_failures(list(found.values()), failures, label, _FEWER)
        return [found[at] for at in range(len(requests))]

    def _varied(self, request: GenerationRequest) -> GenerationRequest:
        if not self.variation:
            return request
        return replace(request, seed=int(content_id("variation", request.seed, self.variation)[:8], 16))


def _place(model: Model) -> Model:
    """A model as it is compared."""
    return model.resolve() if isinstance(model, Path) else model


@dataclass
class _Open:
    """An answer that is being written."""

    stream: GenerationStream
    reader: SentenceReader = field(default_factory=SentenceReader)
    told: int = 0  # sentences
    text: str = ""  # so far


@dataclass
class _Round:
    """The requests of one call of the function, read together as their text comes."""

    generate: ServiceGenerate
    keep: OnAnswer
    arrived: SimpleQueue[tuple[int, str | GenerationResult]] = field(default_factory=SimpleQueue)
    open: dict[int, _Open] = field(default_factory=dict)

    def run(self, requests: Sequence[tuple[int, GenerationRequest]]) -> None:
        """Answer them all; `keep` hears of each, by its number."""
        left = deque(requests)
        try:
            while (left or self.open) and not self._over:
                self._submit(left)
                self._read(self.generate.left())
            self._stop(left)
        finally:
            for one in self.open.values():
                one.stream.cancel()

    @property
    def _over(self) -> bool:
        seconds = self.generate.left()
        return seconds is not None and seconds < _NONE_LEFT

    def _read(self, seconds: float | None) -> bool:
        """Take in what arrives next; False where nothing does within so many seconds."""
        try:
            at, piece = self.arrived.get(timeout=None if seconds is None else max(0.0, seconds))
        except Empty:
            return False
        if isinstance(piece, str):
            one = self.open[at]
            one.text += piece
            self._tell(one, one.reader.add(piece))
        else:
            self._end(at, piece)
        return True

    def _stop(self, left: deque[tuple[int, GenerationRequest]]) -> None:
        """The time is over: what is open ends with what was written, what was not begun with nothing."""
        for one in self.open.values():
            one.stream.cancel()
        end = time.monotonic() + _STEP
        while self.open and self._read(end - time.monotonic()):
            pass
        for at, one in list(self.open.items()):
            self._end(at, GenerationResult(one.stream.request.id, one.text, "cancelled", 0, 0))
        for at, request in left:
            self.keep(at, GenerationResult(request.id, "", "cancelled", 0, 0))

    def _submit(self, left: deque[tuple[int, GenerationRequest]]) -> None:
        """Queue as many as there are slots; wait for a place only while there is nothing to read."""
        call, put = self.generate.call, self.arrived.put
        while left and len(self.open) < call.service.slots:
            at, request = left[0]

            def hear(piece: str | GenerationResult, at: int = at) -> None:
                put((at, piece))

            try:
                stream = call.submit(request, hear, hear, wait=not self.open, seconds=self.generate.left())
            except EngineBusy:
                if not self.open and not self._over:
                    raise
                return
            left.popleft()
            self.open[at] = _Open(stream)

    def _end(self, at: int, answer: GenerationResult) -> None:
        one, call = self.open.pop(at), self.generate.call
        if answer.finish in ("cancelled", "error"):
            call.check()
            state = call.service.snapshot()
            if state.closed:
                raise EngineClosed(f"the engine ended before its answer: {state.failure or 'it was closed'}")
        if answer.finish == "stop" and (rest := one.reader.rest()):
            self._tell(one, [rest])
        self.keep(at, answer)

    def _tell(self, one: _Open, sentences: Sequence[str]) -> None:
        if (tell := self.generate.on_sentence) is None:
            return
        for text in sentences:
            tell(Sentence(one.stream.request.id, one.told, text))
            one.told += 1
