"""A model behind a server as the engine of a service: slots, cancelling, servers that are gone."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from rectune.core.errors import UserError
from rectune.core.settings import RemoteConfig
from rectune.inference.generate import ServedModel
from rectune.inference.remote_engine import RemoteEngine
from rectune.inference.service import EngineService
from rectune.inference.service_call import EngineCall
from rectune.inference.service_state import EngineBusy

from .openai_stand_in import MODEL, Say, Seen, StandIn, completion, echo, refusal
from .server_helpers import ask


@contextmanager
def service(server: StandIn, slots: int = 2, **settings: Any) -> Iterator[EngineService]:
    remote = RemoteConfig(concurrency=slots, timeout=20.0, retries=0)
    with EngineService(RemoteEngine(ServedModel(server.address, MODEL, remote)), **settings) as made:
        yield made


def held(release: threading.Event) -> Any:
    """Replies once it is released."""

    def reply(seen: Seen) -> Say:
        release.wait(20)
        return echo(seen)

    return reply


def test_answers_are_those_of_the_server_at_most_so_many_at_once():
    with StandIn(lambda seen: Say(**{**vars(echo(seen)), "delay": 0.05})) as server, service(server) as made:
        streams = [made.submit(ask(f"hello {at}")) for at in range(6)]
        for at, stream in enumerate(streams):
            assert "".join(stream) == f"HELLO {at}" and stream.result().finish == "stop"
        assert server.most == 2
        state = made.snapshot()
    assert (state.accepted, state.finished, state.tokens) == (6, {"stop": 6}, 18)
    assert state.prompt_tokens == state.evaluated_prompt_tokens == 42
    assert made.name == MODEL


def test_a_full_queue_is_busy_and_cancelling_makes_room_at_once():
    release = threading.Event()
    with StandIn(held(release)) as server, service(server, slots=1, max_waiting=1) as made:
        first = made.submit(ask("first"))
        until = time.monotonic() + 10
        while not made.snapshot().active:
            assert time.monotonic() < until
            time.sleep(0.01)
        second = made.submit(ask("second"))
        with pytest.raises(EngineBusy):
            made.submit(ask("third"))
        first.cancel()
        assert first.result().finish == "cancelled"
        release.set()
        assert second.result().text == "SECOND"


def test_a_call_is_cancelled_whether_its_request_was_sent_or_waits():
    release = threading.Event()
    with StandIn(held(release)) as server, service(server, slots=1) as made:
        with EngineCall(made) as call:
            streams = [call.submit(ask(text)) for text in ("sent", "waits")]
            call.cancel()
            assert [stream.result().finish for stream in streams] == ["cancelled"] * 2
        release.set()
        assert made.submit(ask("next")).result().text == "NEXT"


def test_what_fails_is_an_error_of_one_answer_and_the_next_is_asked_for():
    replies = iter([refusal(400, "this prompt is not nice"), completion("fine")])
    with StandIn(lambda seen: next(replies)) as server, service(server) as made:
        failed = made.submit(ask("one")).result()
        assert failed.finish == "error" and "not nice" in failed.error
        assert made.submit(ask("two")).result().text == "fine"


def test_a_server_that_comes_back_answers_again():
    with StandIn() as server, service(server) as made:
        assert made.submit(ask("one")).result().text == "ONE"
        server.stop()
        gone = made.submit(ask("two")).result()
        assert gone.finish == "error" and gone.error
        with StandIn(port=server.port):
            assert made.submit(ask("three")).result().text == "THREE"
        assert not made.snapshot().failure


def test_nothing_is_scored():
    with StandIn() as server, service(server) as made:
        with pytest.raises(UserError, match="cannot score"):
            made.loglikelihood([("user", "x")], [" y"])
        assert made.submit(ask("one")).result().text == "ONE"


def test_closing_ends_what_is_open():
    release = threading.Event()
    with StandIn(held(release)) as server:
        with service(server, slots=1) as made:
            streams = [made.submit(ask(text)) for text in ("sent", "waits")]
        assert {stream.result().finish for stream in streams} == {"cancelled"}
        release.set()
