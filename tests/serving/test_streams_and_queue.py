"""Clients that leave, full queues, too many open answers, slow models: by a scripted engine."""

from __future__ import annotations

import asyncio
import json
import re
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from copy import copy
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from rectune.inference.requests import GenerationRequest
from rectune.recommender.recommender import Recommender
from rectune.serving.config import Limits
from rectune.serving.store.tables import Recommendation
from tests.recommender.writer import from_facts
from tests.serving.world import Author, World, world

ASKED = {"history": ["Moon Landing"], "n": 1}
CHAT = {"model": "author", "messages": [{"role": "user", "content": "Say (hello)."}], "max_tokens": 8}


def until(condition: Callable[[], bool]) -> None:
    """Wait until something is so."""
    end = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.005)


def engine_is_idle(server: World) -> bool:
    assert server.service.engine
    state = server.service.engine.snapshot()
    return not (state.active or state.waiting)


def leave(server: World, path: str, body: Any, accept: str, when: Callable[[], bool]) -> list[bytes]:
    """Ask as a client that goes away once something is so; gives what it was sent."""
    sent: list[bytes] = []

    async def ask() -> None:
        asked = [{"type": "http.request", "body": json.dumps(body).encode(), "more_body": False}]

        async def receive() -> Any:
            if asked:
                return asked.pop()
            while not when():
                await asyncio.sleep(0.005)
            return {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            sent.append(message.get("body", b""))

        headers = [
            (b"host", b"127.0.0.1"),
            (b"content-type", b"application/json"),
            (b"accept", accept.encode()),
        ]
        scope = {
            "type": "http", "asgi": {"version": "3.0", "spec_version": "2.3"}, "http_version": "1.1",
            "method": "POST", "scheme": "http", "path": path, "raw_path": path.encode(), "query_string": b"",
            "root_path": "", "headers": headers, "client": ("127.0.0.1", 9), "server": ("127.0.0.1", 8000),
            "state": {},
        }  # fmt: skip
        await server.client.app(scope, receive, send)

    asyncio.run(asyncio.wait_for(ask(), 30))
    return sent


@pytest.mark.parametrize(
    "path, body, accept",
    [
        ("/api/v1/recommend", ASKED, "application/json"),
        ("/api/v1/recommend", ASKED, "text/event-stream"),
        ("/v1/chat/completions", CHAT, "application/json"),
        ("/v1/chat/completions", CHAT | {"stream": True}, "application/json"),
    ],
)
def test_a_client_that_leaves_frees_its_slot_and_nothing_of_it_is_kept(
    writing: World, author: Author, path: str, body: Any, accept: str
):
    author.gate.clear()
    sent = leave(writing, path, body, accept, lambda: bool(author.open))
    until(lambda: engine_is_idle(writing))
    assert writing.service.engine
    assert writing.service.engine.snapshot().finished == {"cancelled": 1}
    assert b"done" not in b"".join(sent) and b"[DONE]" not in b"".join(sent)
    with writing.database.reading() as session:
        assert session.scalar(select(func.count()).select_from(Recommendation)) == 0
    author.gate.set()
    assert writing.ask(**ASKED)["items"][0]["reasons_by"] == "model"


def test_where_the_queue_is_full_it_is_503_and_says_when_to_come_again(wordy: Recommender, tmp_path: Path):
    author = Author(slots=1)
    with world(wordy, tmp_path, author, max_waiting=1) as server, ThreadPoolExecutor(4) as pool:
        author.gate.clear()
        open_ones = [pool.submit(server.client.post, "/api/v1/recommend", json=ASKED)]
        until(lambda: len(author.open) == 1)
        open_ones.append(pool.submit(server.client.post, "/api/v1/recommend", json=ASKED))
        until(lambda: len(author.waiting) == 1)
        for path, body in (("/api/v1/recommend", ASKED), ("/v1/chat/completions", CHAT | {"stream": True})):
            refused = server.client.post(path, json=body)
            assert refused.status_code == 503, refused.text
            assert int(refused.headers["Retry-After"]) >= 1
            assert refused.json()["error"]["code"] == "engine_busy"
        with server.client.stream(
            "POST", "/api/v1/recommend", json=ASKED, headers={"Accept": "text/event-stream"}
        ) as answer:
            assert '"code":"engine_busy"' in list(answer.iter_lines())[-2]
        assert "rectune_unavailable_total 2" in server.client.get("/metrics").text
        author.gate.set()
        assert [one.result(30).status_code for one in open_ones] == [200, 200]


def test_a_stream_says_how_many_wait_before_it(wordy: Recommender, tmp_path: Path):
    author = Author(slots=1)
    with world(wordy, tmp_path, author, max_waiting=5) as server, ThreadPoolExecutor(4) as pool:
        author.gate.clear()
        first = [pool.submit(server.client.post, "/api/v1/recommend", json=ASKED)]
        until(lambda: len(author.open) == 1)
        first.append(pool.submit(server.client.post, "/api/v1/recommend", json=ASKED))
        until(lambda: len(author.waiting) == 1)
        heard: list[bytes] = []

        def last() -> list[bytes]:
            heard.extend(leave(server, "/api/v1/recommend", ASKED, "text/event-stream", waited.is_set))
            return heard

        waited = threading.Event()
        third = pool.submit(last)
        until(lambda: len(author.waiting) == 2)
        time.sleep(0.6)  # two looks at the place
        waited.set()
        assert b'event: status\ndata: {"place":1}' in b"".join(third.result(30))
        author.gate.set()
        assert [one.result(30).status_code for one in first] == [200, 200]


def test_a_user_has_two_answers_open_at_most(writing: World, author: Author):
    writing.user("one")
    writing.user("two")
    author.gate.clear()
    with ThreadPoolExecutor(4) as pool:
        asked = [
            pool.submit(writing.client.post, "/api/v1/recommend", json=ASKED | {"user": "one"})
            for _ in range(2)
        ]
        until(lambda: len(author.open) == 2)
        refused = writing.client.post("/api/v1/recommend", json=ASKED | {"user": "one"})
        assert refused.status_code == 429 and int(refused.headers["Retry-After"]) >= 1
        other = pool.submit(writing.client.post, "/api/v1/recommend", json=ASKED | {"user": "two"})
        until(lambda: len(author.waiting) == 1)
        author.gate.set()
        assert [one.result(30).status_code for one in (*asked, other)] == [200] * 3
    assert writing.client.post("/api/v1/recommend", json=ASKED | {"user": "one"}).status_code == 200


def test_a_model_that_takes_too_long_is_ended_and_plain_sentences_stand(wordy: Recommender, tmp_path: Path):
    author = Author()
    author.gate.clear()
    limits = Limits(answer_seconds=0.3, requests_per_minute=1000)
    with world(wordy, tmp_path, author, limits=limits) as server:
        answer = server.ask(**ASKED)
        assert answer["items"][0]["reasons_by"] == "template" and "too long" in answer["notes"][0]
        late = server.client.post("/v1/chat/completions", json=CHAT)
        assert late.status_code == 504 and late.json()["error"]["code"] == "timeout"
        until(lambda: engine_is_idle(server))


def test_words_of_two_users_never_cross(wordy: Recommender, tmp_path: Path):
    def write(request: GenerationRequest) -> str:
        (canary,) = set(re.findall(r"canary\w+", request.messages[-1][1]))
        return f"will enjoy this {canary} thing: {from_facts(request)}"

    names = ("ant", "bee", "cat", "dog")
    with world(wordy, tmp_path, Author(write, slots=3), max_waiting=50) as server:
        for name in names:
            server.user(name)

        def ask(name: str) -> str:
            texts = []
            for turn in range(6):
                body = {"user": name, "query": f"Moon or bread, canary{name}", "n": 3}
                headers = {"Accept": "text/event-stream"} if turn % 2 else {}
                answer = server.client.post("/api/v1/recommend", json=body, headers=headers)
                assert answer.status_code == 200
                texts.append(answer.text)
            texts.append(server.client.get(f"/api/v1/users/{name}/export").text)
            return "\n".join(texts)

        with ThreadPoolExecutor(len(names)) as pool:
            for name, text in zip(names, pool.map(ask, names), strict=True):
                assert set(re.findall(r"canary\w+", text)) == {f"canary{name}"}
                assert text.count('"reasons_by":"model"') >= 3
    assert not list(tmp_path.rglob("*generations*"))


def test_one_thread_at_a_time_ranks_while_others_write(wordy: Recommender, tmp_path: Path):
    together, most = 0, 0

    class Watched:
        """The ranker, which notes how many threads are in it."""

        def __getattr__(self, name: str) -> Any:
            return getattr(wordy.ranker, name)

        def score_users(self, histories: Any, attributes: Any) -> Any:
            nonlocal together, most
            together += 1
            most = max(most, together)
            time.sleep(0.01)
            assert wordy.ranker
            found = wordy.ranker.score_users(histories, attributes)
            together -= 1
            return found

    watched: Any = copy(wordy)
    watched.ranker = Watched()
    author = Author(slots=6)
    with world(watched, tmp_path, author) as server, ThreadPoolExecutor(6) as pool:
        author.gate.clear()
        asked = [pool.submit(server.client.post, "/api/v1/recommend", json=ASKED) for _ in range(6)]
        until(lambda: len(author.open) == 6)  # all were ranked, and none is written
        author.gate.set()
        assert [one.result(30).status_code for one in asked] == [200] * 6
    assert most == 1


def test_when_the_server_ends_what_is_open_is_finished(wordy: Recommender, tmp_path: Path):
    author = Author()
    with ThreadPoolExecutor(1) as pool, world(wordy, tmp_path, author) as server:
        author.gate.clear()
        asked = pool.submit(server.service.recommend, _question())
        until(lambda: bool(author.open))
        threading.Timer(0.2, author.gate.set).start()
        server.service.drain()
        assert asked.result(30).items[0].reasons_by == "model"
        late = server.ask(**ASKED)  # the engine is closed: sentences stand
        assert late["items"][0]["reasons_by"] == "template"


def _question() -> Any:
    from rectune.serving.answers import RecommendQuestion

    return RecommendQuestion(history=("Moon Landing",), n=1)
