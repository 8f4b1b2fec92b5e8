"""One thread at a time ranks, searches, embeds and checks; while the engine writes, others have their turn.

The vector index, the embedder and the morphemes of Korean were not made for several threads. Ranking takes
milliseconds and writing seconds, so the lock is given back while the engine is asked.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from threading import Lock

from rectune.core.settings import EngineConfig
from rectune.inference.generate import Model, OnAnswer
from rectune.inference.requests import GenerationRequest, GenerationResult
from rectune.inference.service_call import EngineCall
from rectune.inference.service_generate import Sentence, ServiceGenerate
from rectune.rankers.likelihood import Scorer


@dataclass
class Usage:
    """Tokens of the answers that the model wrote for one request."""

    prompt_tokens: int = 0
    completion_tokens: int = 0


@contextmanager
def released(lock: Lock) -> Iterator[None]:
    """Give a lock that is held to others within."""
    lock.release()
    try:
        yield
    finally:
        lock.acquire()


@dataclass(frozen=True)
class GenerateOutside:
    """`ServiceGenerate` without the lock; whoever hears of an answer has it again.

    Attributes:
        lock: held by the thread that asks.
        generate: asks the engine.
        usage: is added to.
    """

    lock: Lock
    generate: ServiceGenerate
    usage: Usage = field(default_factory=Usage)

    def hearing(self, hear: Callable[[str], None]) -> GenerateOutside:
        """The same; `hear` is told every finished sentence, unchecked, by the thread that asks."""

        def tell(sentence: Sentence) -> None:
            with self.lock:
                hear(sentence.text)

        return replace(self, generate=replace(self.generate, on_sentence=tell))

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
        """See `ServiceGenerate`."""

        def tell(at: int, answer: GenerationResult) -> None:
            self.usage.prompt_tokens += answer.prompt_tokens
            self.usage.completion_tokens += answer.tokens
            if on_answer:
                with self.lock:
                    on_answer(at, answer)

        with released(self.lock):
            return self.generate(model, requests, engine, generation_cache, label, failures, on_answer=tell)


@dataclass(frozen=True)
class ScoreOutside:
    """The scores of an `EngineCall` without the lock."""

    lock: Lock
    call: EngineCall

    def loglikelihood(
        self, messages: Sequence[tuple[str, str]], continuations: Sequence[str], prefill: str = ""
    ) -> list[list[float]]:
        """See `EngineCall.loglikelihood`."""
        with released(self.lock):
            return self.call.loglikelihood(messages, continuations, prefill)

    def opened(self) -> AbstractContextManager[Scorer]:
        """Itself, as an engine that needs no opening."""
        return nullcontext(self)
