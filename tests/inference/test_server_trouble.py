"""Servers that are slow, send rubbish, refuse, die and come back."""

from __future__ import annotations

import asyncio
import threading
import time
from dataclasses import replace

import pytest

from rectune.core.errors import UserError
from rectune.core.settings import RemoteConfig
from rectune.inference.requests import GenerationResult
from rectune.inference.server import ServerBackend

from .openai_stand_in import MODEL, Say, Seen, StandIn, completion, echo, free_port, refusal
from .server_helpers import LIKED, QUICK, answers, ask, failure, first, hurry


@pytest.fixture(autouse=True)
def _surroundings(monkeypatch: pytest.MonkeyPatch) -> None:
    hurry(monkeypatch)
    for name in ("RECTUNE_API_KEY", "OPENAI_API_KEY"):
        monkeypatch.delenv(name, raising=False)


RUBBISH = {
    "no JSON": Say(content=b"<html>busy</html>"),
    "nothing": Say(content=b""),
    "no object": Say(content=[1]),
    "no choices": Say(content={"choices": []}),
    "choices of another kind": Say(content={"choices": {"message": "hi"}}),
    "no message": Say(content={"choices": [{"text": "hi"}]}),
    "null content": completion(None),
    "content of another kind": completion(["hi"]),
    "no finish reason": completion("hi", None),
    "an aborted answer": completion("hi", "abort"),
    "an error with status 200": Say(content={"error": {"message": "out of memory"}}),
    "nesting without end": Say(content=b"[" * 100_000),
    "a truncated body": replace(completion("hi"), cut=5),
    "a dropped connection": Say(hang_up=True),
    "half a character": Say(content=b'{"choices": "\xff'),
    "status 500": refusal(500, "broken"),
    "status 503": refusal(503, "Loading model"),
    "status 429": refusal(429, "slow down"),
    "more bytes than anybody writes": completion("a" * 2**23),
    "false compression": Say(content=b"no gzip", headers={"Content-Encoding": "gzip"}),
}


@pytest.mark.parametrize("bad", RUBBISH.values(), ids=RUBBISH)
def test_rubbish_is_asked_for_again_and_given_up_in_the_end(bad: Say) -> None:
    def chat(seen: Seen) -> Say:
        return bad if seen.text == "never" or seen.number < 3 else echo(seen)

    with StandIn(chat) as server:
        found = answers(server, [ask("late"), ask("never")])
        assert found["late"].text == "LATE"
        assert (found["never"].finish, found["never"].text) == ("error", "")
        assert "(3 tries)" in found["never"].error
        assert sorted(seen.text for seen in server.asked) == ["late"] * 3 + ["never"] * 3


def test_a_slow_answer_is_given_up_and_the_others_are_not() -> None:
    def chat(seen: Seen) -> Say:
        return replace(echo(seen), delay=0.6 if seen.text == "slow" else 0.0)

    with StandIn(chat) as server:
        found = answers(server, [ask("slow"), ask("quick")], RemoteConfig(timeout=0.2, retries=1))
        assert found["quick"].text == "QUICK"
        assert "did not answer within 0.2 s" in found["slow"].error
        assert [seen.text for seen in server.asked].count("slow") == 2


def test_an_answer_that_drips_in_is_given_up_too() -> None:
    with StandIn(lambda seen: replace(echo(seen), drip=0.05)) as server:
        start = time.monotonic()
        answer = answers(server, [ask("hi")], RemoteConfig(timeout=0.3, retries=0))["hi"]
        assert answer.error == "the server did not answer within 0.3 s"
        assert time.monotonic() - start < 3.0


def test_a_refusal_for_good_is_not_repeated() -> None:
    with StandIn(lambda seen: refusal(400, "top_p must be in (0, 1]")) as server:
        answer = answers(server, [ask("hi")])["hi"]
        assert (answer.finish, len(server.asked)) == ("error", 1)
        assert "(400): top_p must be in (0, 1]" in answer.error


def test_a_server_that_is_not_there_is_said_at_once() -> None:
    start = time.monotonic()
    address = f"http://127.0.0.1:{free_port()}/v1"
    assert "no server answers" in failure(address, [ask("hi")], RemoteConfig(retries=50))
    with pytest.raises(UserError, match="no server answers"):
        ServerBackend(address, MODEL, QUICK).identity()
    assert time.monotonic() - start < 5


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        (refusal(401, "bad key"), "RECTUNE_API_KEY"),
        (refusal(403, "not in your country"), "not in your country"),
        (refusal(404, "no such model"), f"it serves {MODEL}"),
        (refusal(308, "moved", Location="http://elsewhere.test/v1"), "sends us to http://elsewhere.test/v1"),
        (Say(429, {"error": {"message": "pay", "code": "insufficient_quota"}}), "quota"),
        (refusal(429, "tomorrow", **{"Retry-After": "86400"}), "1440 minutes of rest"),
    ],
)
def test_what_no_request_can_pass_ends_the_work_at_once(reply: Say, words: str) -> None:
    with StandIn(lambda seen: reply) as server:
        assert words in failure(server.address, [ask("hi")])
        assert len(server.asked) == 1


def test_a_wrong_key_is_found_before_anything_is_asked() -> None:
    with StandIn(pages={"/v1/models": refusal(401, "bad key")}) as server:
        assert "refuses the key" in failure(server.address, [ask("hi")])
        assert server.asked == []


def test_a_server_without_a_list_of_models_will_do() -> None:
    with StandIn(pages={"/v1/models": refusal(404, "no such page")}) as server:
        assert answers(server, [ask("hi")])["hi"].text == "HI"


def test_a_proxy_to_the_world_outside_is_not_asked_for_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{free_port()}")
    monkeypatch.setenv("NO_PROXY", "")
    with StandIn() as server:
        assert answers(server, [ask("hi")])["hi"].text == "HI"


def test_a_server_that_dies_ends_the_work_and_takes_no_finished_answer_with_it() -> None:
    found: list[GenerationResult] = []

    def keep(answer: GenerationResult) -> None:
        found.append(answer)
        if len(found) == 3:
            server.stop()

    server = StandIn()
    backend = ServerBackend(server.address, MODEL, RemoteConfig(concurrency=1, retries=3))
    with pytest.raises(UserError, match="no server answers"):
        backend.generate([ask(film) for film in LIKED], keep)
    assert [answer.text for answer in found] == [film.upper() for film in LIKED[:3]]


def test_a_server_that_comes_back_is_gone_on_with() -> None:
    found: list[GenerationResult] = []
    server = StandIn()
    later: list[StandIn] = []
    back = threading.Timer(0.15, lambda: later.append(StandIn(port=server.port)))

    def keep(answer: GenerationResult) -> None:
        found.append(answer)
        if len(found) == 3:
            server.stop()
            back.start()

    with ServerBackend(server.address, MODEL, RemoteConfig(concurrency=1, retries=10)) as backend:
        backend.generate([ask(film) for film in LIKED], keep)
    back.join()
    later[0].stop()
    assert [answer.text for answer in found] == [film.upper() for film in LIKED]
    assert len(later[0].asked) == 2


def test_what_the_keeper_of_answers_raises_ends_the_work() -> None:
    def full(answer: GenerationResult) -> None:
        raise OSError("disk full")

    with StandIn() as server, ServerBackend(server.address, MODEL, RemoteConfig(concurrency=1)) as backend:
        with pytest.raises(OSError, match="disk full"):
            backend.generate([ask(film) for film in LIKED], full)
        assert len(server.asked) == 1


def test_a_wait_that_the_server_asks_for_holds_everybody_back() -> None:
    busy = refusal(429, "slow down", **{"Retry-After": "0.5"})
    with StandIn(lambda seen: busy if len(server.asked) == 1 else echo(seen)) as server:
        answers(server, [ask(film) for film in LIKED], RemoteConfig(concurrency=1))
        refused, *later = [seen.time for seen in server.asked]
        assert len(later) == len(LIKED)
        assert min(later) - refused >= 0.5


def test_a_wait_of_minutes_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    slept = [0.0]
    clock, sleep = time.monotonic, asyncio.sleep

    async def skip(seconds: float) -> None:
        slept[0] += seconds
        await sleep(0)

    monkeypatch.setattr(time, "monotonic", lambda: clock() + slept[0])
    monkeypatch.setattr(asyncio, "sleep", skip)
    busy = refusal(503, "slow down", **{"Retry-After": "600"})
    with StandIn(first(busy)) as server:
        assert answers(server, [ask("hi")], RemoteConfig(concurrency=1, retries=1))["hi"].text == "HI"
        assert server.asked[1].time - server.asked[0].time >= 600


def test_no_more_requests_a_minute_than_allowed() -> None:
    with StandIn(first(refusal(500, "again"))) as server:
        answers(server, [ask(str(number)) for number in range(3)], RemoteConfig(requests_per_minute=1200))
        times = [seen.time for seen in server.seen]
        assert len(times) == 7  # tries that fail count too, and so does the list of models
        assert (
            times[-1] - times[0] >= 6 * 0.05 - 0.02
        )  # the server's clock is read a little later, or earlier
