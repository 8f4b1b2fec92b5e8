"""One engine, many threads: everybody gets the own answer, and nobody waits for ever."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from rectune.core.errors import RectuneError, UserError
from rectune.core.settings import EngineConfig
from rectune.inference.llamacpp import LlamaEngine
from rectune.inference.requests import GenerationResult
from rectune.inference.service import EngineService
from rectune.inference.stream import GenerationStream
from rectune.inference.token_budgets import SAME_LENGTHS

from .conftest import Ask


class Slow:
    """An engine whose every step writes a letter to all streams, of five; `failing` fails the next step."""

    model, slots, context = Path("m.gguf"), 64, 100
    lengths = SAME_LENGTHS
    evaluated_prompt_tokens = 0  # its prompts have none

    def __init__(self) -> None:
        self.open: dict[GenerationStream, int] = {}
        self.failing = self.closed = False
        self.go = threading.Event()
        self.go.set()

    def __enter__(self) -> Slow:
        return self

    def __exit__(self, *_: object) -> None:
        self.closed = True
        self._end_all("cancelled")

    @property
    def busy(self) -> bool:
        return bool(self.open)

    def enqueue(self, stream: GenerationStream) -> None:
        self.open[stream] = 0
        stream.begin()

    def cancel(self, stream: GenerationStream) -> None:
        pass  # the stream says so

    def step(self) -> None:
        self.go.wait(5)
        if self.failing:
            self._end_all("error")
            raise UserError("out of memory")
        for stream in list(self.open):
            self.open[stream] += 1
            stream.write(stream.request.id)
            if stream.cancelled or self.open[stream] == 5:
                self._end(stream, "cancelled" if stream.cancelled else "stop")

    def _end(self, stream: GenerationStream, finish: Any) -> None:
        written = self.open.pop(stream)
        name = stream.request.id
        stream.end(
            GenerationResult(name, name * written, finish, 1, written, "out of memory" * (finish == "error"))
        )

    def _end_all(self, finish: str) -> None:
        for stream in list(self.open):
            self._end(stream, finish)


@pytest.fixture
def slow() -> Slow:
    return Slow()


@pytest.fixture
def service(slow: Slow) -> Iterator[EngineService]:
    with EngineService(slow) as found:  # type: ignore[arg-type]
        yield found
    assert slow.closed


def test_every_thread_gets_its_own_answer(service: EngineService, ask: Ask) -> None:
    def converse(name: str) -> list[str]:
        return ["".join(service.submit(ask(f"{name}{turn}"))) for turn in range(20)]

    with ThreadPoolExecutor(8) as pool:
        for name, texts in zip("abcdefgh", pool.map(converse, "abcdefgh"), strict=True):
            assert texts == [f"{name}{turn}" * 5 for turn in range(20)]


def test_text_arrives_before_the_answer_is_whole(service: EngineService, slow: Slow, ask: Ask) -> None:
    stream = service.submit(ask("x"))
    pieces = iter(stream)
    assert next(pieces) == "x"
    stream.cancel()
    assert stream.result().finish in ("cancelled", "stop")


def test_one_answer_may_be_awaited_by_many(service: EngineService, ask: Ask) -> None:
    stream = service.submit(ask("x"))
    with ThreadPoolExecutor(4) as pool:
        found = [future.result(5) for future in [pool.submit(stream.result) for _ in range(4)]]
    assert {answer.text for answer in found} == {"xxxxx"}


def test_an_error_of_the_engine_reaches_all_who_wait(service: EngineService, slow: Slow, ask: Ask) -> None:
    slow.go.clear()
    slow.failing = True
    early = [service.submit(ask(str(number))) for number in range(3)]
    while not slow.busy:
        time.sleep(0.001)
    late = [service.submit(ask(str(number))) for number in range(3, 6)]  # while the step is on its way
    slow.go.set()
    for stream in (*early, *late):
        assert (stream.result().finish, stream.result().error) == ("error", "out of memory")
    with pytest.raises(RectuneError, match="out of memory"):
        service.submit(ask("more"))


def test_closing_ends_what_is_open_and_takes_no_more(service: EngineService, slow: Slow, ask: Ask) -> None:
    slow.go.clear()
    streams = [service.submit(ask(str(number))) for number in range(5)]
    closing = threading.Thread(target=service.close)
    closing.start()
    slow.go.set()
    closing.join(5)
    assert not closing.is_alive()
    assert {stream.result().finish for stream in streams} <= {"cancelled", "stop"}
    assert slow.closed
    with pytest.raises(RectuneError, match="closed"):
        service.submit(ask("more"))
    service.close()


def test_a_real_engine_answers_threads_as_it_answers_one(model: Path, ask: Ask) -> None:
    requests = [ask(f"I liked {film}.", max_tokens=6) for film in ("Alien", "Heat", "Up", "Ran")]
    with LlamaEngine(model, EngineConfig(context=128, max_num_seqs=1, threads=1)) as engine:
        wanted: list[GenerationResult] = []
        engine.generate(requests, wanted.append)
    engine = LlamaEngine(model, EngineConfig(context=128, max_num_seqs=1, threads=1))
    with EngineService(engine, max_waiting=8) as service:
        with ThreadPoolExecutor(4) as pool:
            made = list(pool.map(lambda request: service.submit(request).result(), requests))
        endless = service.submit(ask("Tell me everything.", max_tokens=80))
        assert next(iter(endless))
        endless.cancel()
        assert endless.result().finish == "cancelled"
        open_ = service.submit(ask("Tell me more.", max_tokens=80))
        assert next(iter(open_))
    assert sorted(made, key=lambda answer: answer.id) == sorted(wanted, key=lambda answer: answer.id)
    assert open_.result().finish == "cancelled"
