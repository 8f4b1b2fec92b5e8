"""A scripted model, whose every token is known beforehand, ways to ask it, and an engine that runs it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rectune.core.settings import SamplingConfig
from rectune.inference.context import TokenBatch
from rectune.inference.requests import GenerationRequest, GenerationResult
from rectune.inference.scheduler import Scheduler
from rectune.inference.stream import GenerationStream
from rectune.inference.token_budgets import SAME_LENGTHS

END = 0


class Letters:
    """A vocabulary of single bytes; the prompt of a conversation is its letters."""

    size = 257
    ends = frozenset({END})

    def prompt(self, messages: tuple[tuple[str, str], ...], prefill: str = "") -> list[int]:
        return [1 + byte for _, text in messages for byte in text.encode()]

    def plain(self, text: str) -> list[int]:
        return [1 + byte for byte in text.encode()]

    def piece(self, token: int) -> bytes:
        return bytes([token - 1])


@dataclass
class Freed:
    """Samplers that know whether they were freed."""

    model: Scripted
    freed: bool = False

    def free(self) -> None:
        assert not self.freed
        self.freed = True
        self.model.samplers -= 1


@dataclass
class Scripted:
    """Writes for each prompt the bytes that `script` has for it, then ends; checks what it is given."""

    script: dict[str, bytes]
    slots: int = 3
    cells: int = 400
    limit: int = 100
    stride: int = 1
    held: list[int] = field(default_factory=list)
    peak: int = 0
    evaluated: int = 0
    samplers: int = 0
    mixes: bool = False

    def __post_init__(self) -> None:
        self.vocabulary = Letters()
        self.batch = TokenBatch(32)
        self.tokens: dict[int, list[int]] = {slot: [] for slot in range(self.slots + 1)}
        self.shared: dict[int, int] = dict.fromkeys(range(self.slots), 0)

    def hold(self, tokens: list[int], *, output: bool = False) -> None:
        self.held = list(tokens)
        self.tokens[self.slots] = list(tokens)
        self.evaluated += len(tokens)

    def share(self, sequence: int) -> None:
        assert not self.tokens[sequence]
        self.tokens[sequence], self.shared[sequence] = list(self.held), len(self.held)

    def drop(self, sequence: int, start: int = -1) -> bool:
        self.tokens[sequence], self.shared[sequence] = [], 0
        return True

    def clear(self) -> None:
        self.tokens = {slot: [] for slot in self.tokens}

    def evaluate(self) -> None:
        batch: Any = self.batch
        assert 0 < batch.length <= batch.size
        for row in range(batch.length):
            sequence = self.tokens[int(batch._sequences[row])]
            assert int(batch._places[row]) == len(sequence)  # no position is skipped or written twice
            sequence.append(int(batch._tokens[row]))
        self.evaluated += batch.length
        own = sum(len(tokens) - self.shared.get(slot, 0) for slot, tokens in self.tokens.items())
        self.peak = max(self.peak, own)
        assert own <= self.cells

    def log_probabilities(self, row: int) -> NDArray[np.float64]:
        """Of every token its number, below zero."""
        return -np.arange(self.vocabulary.size, dtype=np.float64)

    def sampler(self, request: GenerationRequest) -> Freed:
        self.samplers += 1
        return Freed(self)

    def sample(self, sampler: Freed, row: int) -> int:
        assert not sampler.freed
        batch: Any = self.batch
        assert batch._outputs[row] == 1
        letters = bytes(token - 1 for token in self.tokens[int(batch._sequences[row])])
        prompt = next(known for known in self.script if letters.startswith(known.encode()))
        rest = self.script[prompt][len(letters) - len(prompt.encode()) :]
        return 1 + rest[0] if rest else END


def request(
    prompt: str, *, tokens: int = 20, stop: tuple[str, ...] = (), name: str = ""
) -> GenerationRequest:
    head, _, rest = prompt.partition("|")
    messages = (("system", head + "|"), ("user", rest)) if rest else (("user", prompt),)
    return GenerationRequest(name or prompt, messages, SamplingConfig(max_tokens=tokens), 0, stop)


def run(model: Any, requests: list[GenerationRequest]) -> list[GenerationResult]:
    scheduler, answers = Scheduler(model), list[GenerationResult]()
    for asked in requests:
        scheduler.submit(GenerationStream(asked, scheduler.cancel, on_end=answers.append))
    while scheduler.busy:
        scheduler.step()
    assert model.samplers == 0  # each was freed
    return answers


def write(text: bytes, **how: Any) -> GenerationResult:
    (answer,) = run(Scripted({"p": text}), [request("p", **how)])
    return answer


def drive(model: Any, *requests: GenerationRequest) -> tuple[Scheduler, list[GenerationStream]]:
    scheduler = Scheduler(model)
    streams = [GenerationStream(asked, scheduler.cancel, scheduler.step) for asked in requests]
    for stream in streams:
        scheduler.submit(stream)
    return scheduler, streams


class Gated:
    """An engine for a service, whose steps wait until they are let through, one by one or all."""

    model = Path("scripted.gguf")
    lengths = SAME_LENGTHS

    def __init__(self, model: Scripted, fail: Callable[[int], bool] = lambda step: False) -> None:
        self.scripted, self.scheduler, self._fail = model, Scheduler(model), fail
        self.slots, self.context = model.slots, model.limit
        self.steps, self.closed, self._open = 0, False, False
        self._permits, self._done = threading.Semaphore(0), threading.Semaphore(0)

    def let(self, steps: int) -> None:
        """Let so many steps through, and wait for their end."""
        for _ in range(steps):
            self._permits.release()
            assert self._done.acquire(timeout=90)

    def open(self) -> None:
        """Let all steps through."""
        self._open = True
        self._permits.release()

    @property
    def busy(self) -> bool:
        return self.scheduler.busy

    @property
    def evaluated_prompt_tokens(self) -> int:
        return self.scheduler.evaluated_prompt_tokens

    def enqueue(self, job: Any) -> None:
        self.scheduler.submit(job)

    def cancel(self, job: Any) -> None:
        self.scheduler.cancel(job)

    def step(self) -> None:
        if not self._open:
            assert self._permits.acquire(timeout=90)
        self.steps += 1
        try:
            if self._fail(self.steps):
                raise MemoryError("no memory")
            self.scheduler.step()
        except MemoryError as problem:
            self.scheduler.close("error", str(problem))
            raise
        finally:
            self._done.release()

    def __enter__(self) -> Gated:
        return self

    def __exit__(self, *error: object) -> None:
        self.closed = True
        self.scheduler.close()
