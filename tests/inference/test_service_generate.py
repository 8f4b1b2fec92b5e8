"""The generating function of a service: everybody's own answers, by sentence, and nothing of them on disk."""

from __future__ import annotations

import re
import shutil
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from rectune.core.errors import UserError
from rectune.core.settings import EngineConfig, SamplingConfig
from rectune.inference.generate import generate
from rectune.inference.llamacpp import LlamaEngine
from rectune.inference.requests import GenerationRequest, GenerationResult
from rectune.inference.service import EngineService
from rectune.inference.service_call import EngineCall
from rectune.inference.service_generate import Sentence, ServiceGenerate
from rectune.inference.service_state import CallCancelled, EngineBusy, EngineClosed

from .conftest import Ask
from .scripted import Gated, Scripted, request

CONFIG = EngineConfig(context=128, max_num_seqs=2, threads=1, weights="file")


class PromptCopier(Scripted):
    """Answers with the prompt itself, and a full stop; the prompt ends with an equals sign."""

    def sample(self, sampler: Any, row: int) -> int:
        letters = bytes(token - 1 for token in self.tokens[int(self.batch._sequences[row])])
        prompt, _, written = letters.partition(b"=")
        rest = (prompt + b". ")[len(written) :]
        return 1 + rest[0] if rest else 0


@pytest.fixture
def engine() -> Gated:
    return Gated(PromptCopier({}, slots=3))


@pytest.fixture
def service(engine: Gated) -> Iterator[EngineService]:
    with EngineService(engine) as found:
        yield found
        engine.open()


def answers(
    function: ServiceGenerate, *requests: GenerationRequest, folder: Path = Path("absent"), **more: Any
) -> list[GenerationResult]:
    return function(Gated.model, requests, CONFIG, folder / "generations.sqlite", "test", **more)


def test_answers_come_in_the_order_of_the_requests_and_equal_ones_are_generated_once(
    service: EngineService, engine: Gated, tmp_path: Path
) -> None:
    engine.open()
    asked = [request(f"{letter}=", name=f"r{n}") for n, letter in enumerate("abcabxyz")]
    heard: list[tuple[int, str]] = []
    with EngineCall(service) as call:
        found = answers(
            ServiceGenerate(call),
            *asked,
            folder=tmp_path,
            on_answer=lambda at, one: heard.append((at, one.id)),
        )
    assert [(one.id, one.text) for one in found] == [(one.id, f"{one.messages[0][1][0]}. ") for one in asked]
    assert sorted(heard) == [(n, f"r{n}") for n in range(8)]
    assert service.snapshot().finished == {"stop": 6}
    assert not list(tmp_path.iterdir())


def test_two_threads_never_get_each_others_answers(service: EngineService, engine: Gated) -> None:
    engine.open()
    told: dict[str, list[Sentence]] = {"ant": [], "bee": []}

    def ask(canary: str) -> list[str]:
        texts = []
        for turn in range(30):
            with EngineCall(service) as call:
                names = [f"{canary} {turn}.{n}=" for n in range(3)]
                function = ServiceGenerate(call, on_sentence=told[canary].append)
                texts += [one.text for one in answers(function, *map(request, names))]
        return texts

    with ThreadPoolExecutor(2) as pool:
        for canary, texts in zip(told, pool.map(ask, told), strict=True):
            wanted = [f"{canary} {turn}.{n}. " for turn in range(30) for n in range(3)]
            assert texts == wanted
            assert sorted(one.text for one in told[canary]) == sorted(text.strip() for text in wanted)
            assert {one.request_id.split()[0] for one in told[canary]} == {canary}


def test_sentences_are_told_as_they_end_and_the_rest_of_a_cut_answer_is_none(
    service: EngineService, engine: Gated
) -> None:
    engine.open()
    told: list[tuple[int, str]] = []
    with EngineCall(service) as call:
        function = ServiceGenerate(call, on_sentence=lambda one: told.append((one.number, one.text)))
        answers(function, request("One. Two? Three=", tokens=40))
        assert told == [(0, "One."), (1, "Two?"), (2, "Three.")]
        told.clear()
        (cut,) = answers(function, request("One. Two? Three=", tokens=12))
        assert (cut.finish, cut.text) == ("length", "One. Two? Th")
        assert told == [(0, "One."), (1, "Two?")]


def test_who_hears_may_stop_it_and_its_answers_are_cancelled(service: EngineService, engine: Gated) -> None:

    def leave(sentence: Sentence) -> None:
        raise ConnectionError("gone")

    with EngineCall(service) as call, ThreadPoolExecutor(1) as pool:
        function = ServiceGenerate(call, on_sentence=leave)
        found = pool.submit(answers, function, request("A. b. c. d. e. f=", tokens=60))
        engine.let(4)
        with pytest.raises(ConnectionError):
            found.result(60)
    engine.open()
    assert service.drain(60)
    assert service.snapshot().finished == {"cancelled": 1}


def test_cancelling_ends_it_wherever_it_is(service: EngineService, engine: Gated) -> None:
    with EngineCall(service) as call, ThreadPoolExecutor(1) as pool:
        found = pool.submit(answers, ServiceGenerate(call), *[request(f"{n}=") for n in range(9)])
        engine.let(1)
        call.cancel()
        engine.open()
        with pytest.raises(CallCancelled):
            found.result(60)


def test_when_no_time_is_left_answers_end_with_what_was_written(
    service: EngineService, engine: Gated
) -> None:
    left = [60.0]
    told: list[str] = []
    with EngineCall(service) as call, ThreadPoolExecutor(1) as pool:
        function = ServiceGenerate(call, on_sentence=lambda one: told.append(one.text), left=lambda: left[0])
        found = pool.submit(answers, function, *[request(f"{n}. abcdefghijkl=") for n in range(5)])
        engine.let(10)
        left[0] = 0.0
        engine.let(1)  # its text arrives, and the engine does no further step in time
        texts = [one.text for one in found.result(60)]
        assert {one.finish for one in found.result()} == {"cancelled"}
        assert all(f"{n}. abcdefghijkl. ".startswith(text) for n, text in enumerate(texts))
        assert all(texts[:3]) and texts[3:] == ["", ""]  # two had no slot
        assert not any("k" in one for one in told)
        again = answers(function, request("more="))
        assert [(one.text, one.finish) for one in again] == [("", "cancelled")]
    engine.open()
    assert service.drain(60)
    assert service.snapshot().finished == {"cancelled": 3}


def test_who_waits_for_a_place_does_so_no_longer_than_time_is_left() -> None:
    engine = Gated(PromptCopier({}, slots=1))
    with EngineService(engine, max_waiting=1) as service, EngineCall(service) as call:
        call.submit(request("b="))  # the call was let in
        engine.let(1)
        service.submit(request("c="))  # the queue is full
        end = time.monotonic() + 0.2
        function = ServiceGenerate(call, left=lambda: end - time.monotonic())
        assert [one.finish for one in answers(function, request("d="))] == ["cancelled"]
        assert time.monotonic() >= end - 0.01
        engine.open()


def test_a_full_queue_is_told_before_anything_is_done(engine: Gated) -> None:
    with EngineService(engine, max_waiting=1) as service:
        for n in range(engine.slots + 1):
            service.submit(request(f"{n}="))
        with EngineCall(service) as call, pytest.raises(EngineBusy):
            answers(ServiceGenerate(call), request("b="))
        engine.open()


def test_more_requests_than_the_queue_holds_are_answered_in_turns(engine: Gated) -> None:
    engine.open()
    with EngineService(engine, max_waiting=1) as service, EngineCall(service) as call:
        found = answers(ServiceGenerate(call), *[request(f"{n}=") for n in range(20)])
        assert [one.text for one in found] == [f"{n}. " for n in range(20)]
        assert service.snapshot().refused == 0  # the call was let in


def test_an_engine_that_ends_meanwhile_is_told(service: EngineService, engine: Gated) -> None:
    with EngineCall(service) as call, ThreadPoolExecutor(2) as pool:
        found = pool.submit(answers, ServiceGenerate(call), request("a="))
        engine.let(1)
        closing = pool.submit(service.close)
        engine.open()
        closing.result(60)
        with pytest.raises(EngineClosed, match="closed"):
            found.result(60)


def test_what_cannot_be_answered_says_so_and_another_model_is_refused(
    service: EngineService, engine: Gated
) -> None:
    engine.open()
    with EngineCall(service) as call:
        found = answers(ServiceGenerate(call), request("a="), request("b" * 100))
        assert [one.finish for one in found] == ["stop", "error"] and "tokens" in found[1].error
        with pytest.raises(UserError, match="1 of 2 requests failed"):
            answers(ServiceGenerate(call), request("a="), request("b" * 100), failures=0.4)
        with pytest.raises(UserError, match=re.escape("runs scripted.gguf, not other.gguf")):
            ServiceGenerate(call)(Path("other.gguf"), [request("a=")], CONFIG, Path("c"), "test")


def test_a_real_model_answers_as_without_a_service_and_otherwise_when_asked_again(
    model: Path, ask: Ask, tmp_path: Path
) -> None:
    asked = [ask(f"I liked {film}.", temperature=1.0, seed=3) for film in ("Alien", "Heat")]
    alone = CONFIG.model_copy(update={"max_num_seqs": 1})
    heard: list[tuple[int, GenerationResult]] = []
    cache = tmp_path / "cache.sqlite"
    wanted = generate(model, asked, alone, cache, "test", on_answer=lambda *one: heard.append(one))
    assert sorted(heard, key=lambda one: one[0]) == list(enumerate(wanted))
    heard.clear()
    assert generate(model, asked, alone, cache, "test", on_answer=lambda *one: heard.append(one)) == wanted
    assert sorted(heard, key=lambda one: one[0]) == list(enumerate(wanted))  # out of the cache too
    with EngineService(LlamaEngine(model, alone)) as service, EngineCall(service) as call:
        found = [
            ServiceGenerate(call, variation)(model, asked, alone, tmp_path / "none", "test")
            for variation in (0, 0, 1, 2)
        ]
    assert found[0] == found[1] == wanted
    assert len({tuple(one.text for one in some) for some in found}) == 3
    assert not (tmp_path / "none").exists()


def test_a_real_engine_scores_beside_what_it_writes(several: LlamaEngine, model: Path, ask: Ask) -> None:
    messages = (("system", "Be brief."), ("user", "I liked Alien. What next?"))
    films = ["Heat", "The Thing", "Up", "Blade Runner", "Ran"]
    wanted = several.loglikelihood(messages, films, "I recommend")
    engine = LlamaEngine(model, EngineConfig(context=320, max_num_seqs=2, threads=1, weights="file"))
    with EngineService(engine) as service:
        long = service.submit(
            GenerationRequest("long", messages, SamplingConfig(max_tokens=60, temperature=0.0), 1)
        )
        assert next(iter(long))
        found = service.loglikelihood(messages, films, "I recommend")
        still = not long.ended
        text = long.result().text
        assert service.submit(ask("I liked Up.")).result().finish in ("stop", "length")
    assert still and text
    for own, other in zip(found, wanted, strict=True):
        assert own == pytest.approx(other, abs=0.05)


def test_korean_gets_its_longer_budget_though_the_models_file_is_gone(model: Path, tmp_path: Path) -> None:
    file = tmp_path / "model.gguf"
    shutil.copyfile(model, file)
    asked = GenerationRequest(
        "r",
        (("system", "짧게 답하세요"), ("user", "하나, 둘, 셋")),
        SamplingConfig(max_tokens=3, temperature=0.0),
        1,
    )
    with EngineService(LlamaEngine(file, CONFIG)) as service, EngineCall(service) as call:
        file.unlink()
        (answer,) = ServiceGenerate(call)(file, [asked], CONFIG, tmp_path / "none.sqlite", "test")
    assert 3 < answer.tokens <= 3 * 7 and answer.finish != "error"
