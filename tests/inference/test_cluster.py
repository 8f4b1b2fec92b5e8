"""Two workers on a local cluster write what one process writes, and a dead one costs time but no answer."""

from __future__ import annotations

import itertools
import os
import pickle
import shutil
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from rectune.core.errors import MissingExtra, UserError
from rectune.core.settings import EngineConfig
from rectune.inference.actor import Group, Worker
from rectune.inference.cluster import RayBackend, group_size, grouped
from rectune.inference.llamacpp import LlamaEngine
from rectune.inference.requests import GenerationRequest, GenerationResult

from .conftest import Ask

ENGINE = EngineConfig(context=128, max_num_seqs=1, threads=1, workers=2)


def test_without_ray_the_missing_extra_is_named(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(MissingExtra, match=r"rectune\[ray\]"):
        RayBackend(model, ENGINE)


def test_groups_hold_every_request_once_and_equal_beginnings_together(ask: Ask) -> None:
    requests = {number: ask(str(number), system=f"System {number % 3}") for number in range(50)}
    groups = grouped(requests, 8)
    assert [len(group) for group in groups] == [8] * 6 + [2]
    assert dict(pair for group in groups for pair in group) == requests
    systems = [request.messages[0] for group in groups for _, request in group]
    assert sum(one != other for one, other in itertools.pairwise(systems)) == 2


@pytest.mark.parametrize(
    ("count", "workers", "slots", "size"),
    [(1, 2, 16, 1), (10, 2, 16, 5), (100, 2, 16, 16), (1000, 2, 16, 125), (100_000, 2, 16, 256)],
)
def test_groups_fill_the_slots_and_leave_every_worker_some(
    count: int, workers: int, slots: int, size: int
) -> None:
    assert group_size(count, workers, slots) == size


class Fragile(Worker):
    """A worker that dies of some requests, as it might for lack of memory."""

    def answer(self, group: Group) -> Iterator[tuple[int, GenerationResult]]:
        if any("deadly" in request.id for _, request in group):
            os._exit(1)
        yield from super().answer(group)


class Shuffled(Worker):
    """A worker that dies after some answers, and answers in another order when it is started again."""

    def answer(self, group: Group) -> Iterator[tuple[int, GenerationResult]]:
        died = self._model.with_name(f"died of {group[0][0] if group else 'nothing'}")
        ordered = group[::-1] if died.exists() else group
        for place, answer in enumerate(super().answer(ordered)):
            if place == 1 and not died.exists():
                died.touch()
                os._exit(1)
            yield answer


class Hanging(Worker):
    """A worker that never says anything."""

    def answer(self, group: Group) -> Iterator[tuple[int, GenerationResult]]:
        time.sleep(600)
        yield from ()


@pytest.fixture(scope="module")
def backend(model: Path) -> Iterator[RayBackend]:
    """Two workers on a local cluster, which does not outlive the tests."""
    ray = pytest.importorskip("ray")
    ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("RAY_ADDRESS", raising=False)
        with RayBackend(model, ENGINE) as started:
            yield started
    wait_until(lambda: not below("raylet"))


@pytest.fixture
def fragile(backend: RayBackend, model: Path) -> RayBackend:
    return RayBackend(model, ENGINE, worker=Fragile, retries=1)


def below(name: str) -> list[psutil.Process]:
    """Processes that this one started, directly or not, and that are called so."""
    found = []
    for process in psutil.Process().children(recursive=True):
        try:
            if any(name in part for part in process.cmdline()[:1]):
                found.append(process)
        except psutil.Error:
            continue  # it ended meanwhile
    return found


def wait_until(condition: Any, seconds: float = 180.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.1)


def asked(ask: Ask, count: int) -> list[GenerationRequest]:
    return [
        ask(f"Film {number}?", system=f"Be {'brief' if number % 2 else 'kind'}.") for number in range(count)
    ]


def alone(model: Path, requests: list[GenerationRequest]) -> dict[str, GenerationResult]:
    """What one process writes."""
    found: dict[str, GenerationResult] = {}
    with LlamaEngine(model, ENGINE) as engine:
        engine.generate(requests, lambda answer: found.update({answer.id: answer}))
    return found


@pytest.mark.slow
def test_answers_are_those_of_one_process(backend: RayBackend, model: Path, ask: Ask) -> None:
    requests = [*asked(ask, 12), ask("too long " * 100)]
    made: list[GenerationResult] = []
    backend.generate(requests, made.append)
    assert len(made) == len(requests)
    assert {answer.id: answer for answer in made} == alone(model, requests)
    assert [answer.finish for answer in made].count("error") == 1


@pytest.mark.slow
def test_a_worker_killed_in_mid_work_costs_no_answer(backend: RayBackend, model: Path, ask: Ask) -> None:
    requests, made = asked(ask, 40), []
    killed: list[int] = []

    def keep(answer: GenerationResult) -> None:
        made.append(answer)
        if len(made) == 8:
            workers = below("ray::Worker")
            assert len(workers) == 2
            killed.append(workers[0].pid)
            os.kill(workers[0].pid, signal.SIGKILL)

    backend.generate(requests, keep)
    assert killed
    assert len(made) == len(requests)
    assert {answer.id: answer for answer in made} == alone(model, requests)


@pytest.mark.slow
def test_answers_arrive_while_others_are_written_and_what_keeping_them_raises_ends_the_work(
    backend: RayBackend, ask: Ask
) -> None:
    made: list[GenerationResult] = []

    def keep(answer: GenerationResult) -> None:
        made.append(answer)
        if len(made) == 3:
            raise UserError("the disk is full")

    # In one piece these would take minutes.
    requests = [ask(f"Film {number}?", max_tokens=60) for number in range(400)]
    begun = time.monotonic()
    with pytest.raises(UserError, match="disk is full"):
        backend.generate(requests, keep)
    assert len(made) == 3
    assert time.monotonic() - begun < 60
    wait_until(lambda: not below("ray::Worker"))


@pytest.mark.slow
def test_a_request_that_kills_every_worker_is_an_error_and_the_others_are_answered(
    fragile: RayBackend, model: Path, ask: Ask
) -> None:
    requests, made = [*asked(ask, 9), ask("deadly")], []
    fragile.generate(requests, made.append)
    found = {answer.id: answer for answer in made}
    assert len(made) == len(found) == len(requests)
    assert found.pop("deadly").finish == "error"
    assert found == alone(model, requests[:-1])


@pytest.mark.slow
def test_when_every_worker_dies_it_is_said(fragile: RayBackend, ask: Ask) -> None:
    with pytest.raises(UserError, match="without an answer"):
        fragile.generate([ask("deadly 1"), ask("deadly 2")], lambda _: None)


@pytest.mark.slow
def test_a_second_try_in_another_order_neither_loses_nor_doubles_an_answer(
    backend: RayBackend, model: Path, tmp_path: Path, ask: Ask
) -> None:
    here = tmp_path / "model.gguf"
    shutil.copy(model, here)
    requests, made = asked(ask, 24), []
    RayBackend(here, ENGINE, worker=Shuffled).generate(requests, made.append)
    assert list(tmp_path.glob("died of *"))
    assert len(made) == len(requests)
    assert {answer.id: answer for answer in made} == alone(model, requests)


@pytest.mark.slow
def test_workers_that_hang_are_given_up(backend: RayBackend, model: Path, ask: Ask) -> None:
    hanging = RayBackend(model, ENGINE, worker=Hanging, stalled=3.0)
    with pytest.raises(UserError, match="or hung, without an answer"):
        hanging.generate([ask("Hi")], lambda _: None)


@pytest.mark.slow
def test_a_model_that_a_node_lacks_is_a_clear_error(backend: RayBackend, tmp_path: Path, ask: Ask) -> None:
    absent = RayBackend(tmp_path / "none.gguf", ENGINE)
    with pytest.raises(UserError, match=r"none\.gguf.*not there") as caught:
        absent.generate([ask("Hi")], lambda _: None)
    assert "every node" in caught.value.hint


@pytest.mark.slow
def test_nothing_asked_nothing_started(backend: RayBackend, tmp_path: Path) -> None:
    # Not by looking for processes: Ray may still be ending those of the requests that killed their workers.
    RayBackend(tmp_path / "none.gguf", ENGINE).generate([], lambda _: pytest.fail("an answer to nothing"))


def test_an_error_comes_whole_from_another_process() -> None:
    error = pickle.loads(pickle.dumps(UserError("no model", where="node 1", hint="put it there")))
    assert (error.message, error.where, error.hint) == ("no model", "node 1", "put it there")
    assert str(error) == str(UserError("no model", where="node 1", hint="put it there"))
