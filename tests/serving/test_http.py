"""The HTTP layer: shapes of answers and errors, streams, pickers, users, health, counters."""

from __future__ import annotations

import json
from copy import copy
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fastapi.routing import APIRoute
from starlette.testclient import TestClient

from rectune.core.errors import UserError
from rectune.core.settings import SamplingConfig
from rectune.models.reference import gguf_file
from rectune.recommender.recommender import Recommender
from rectune.serving.gate import scope_of
from rectune.serving.loading import load_engine, prepare
from rectune.serving.store.columns import now_ms
from rectune.serving.store.faults import DatabaseUnavailable
from tests.serving.world import Author, World, events, shown, world

STREAM = {"Accept": "text/event-stream"}


def stream(server: World, **body: Any) -> list[tuple[str, Any]]:
    """The events of an answer."""
    with server.client.stream("POST", "/api/v1/recommend", json=body, headers=STREAM) as answer:
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/event-stream")
        return [(name, json.loads(data)) for name, data in events(list(answer.iter_lines()))]


@pytest.mark.parametrize("kind", ["server", "writing"])
def test_a_stream_tells_items_first_then_reasons_and_ends_with_the_answer(
    kind: str, request: pytest.FixtureRequest
):
    server: World = request.getfixturevalue(kind)
    told = stream(server, history=["Moon Landing"], n=3)
    names = [name for name, _ in told]
    assert names == ["status", "item", "item", "item", "reason", "reason", "reason", "done"]
    answer = told[-1][1]
    assert [data["item_id"] for name, data in told if name == "item"] == shown(answer)
    assert [data["place"] for name, data in told if name == "item"] == [1, 2, 3]
    reasons = {
        data["item_id"]: (data["reason"], data["reasons_by"]) for name, data in told if name == "reason"
    }
    assert reasons == {one["item_id"]: (one["reason"], one["reasons_by"]) for one in answer["items"]}
    by = {one["reasons_by"] for one in answer["items"]}
    assert by == ({"model"} if kind == "writing" else {"template"})
    assert bool(answer["usage"]["completion_tokens"]) == (kind == "writing")
    assert server.ask(history=["Moon Landing"], n=3)["items"] == answer["items"]


@pytest.mark.slow
def test_the_embedded_model_words_checked_reasons_in_a_stream(wordy: Recommender, tmp_path: Path):
    assert wordy.generative
    model = gguf_file("embedded")
    settings = wordy.generative.retrieval.model_copy(
        update={"context": 1024, "threads": 1, "weights": "file", "sampling": SamplingConfig(max_tokens=48)}
    )
    found = copy(wordy)
    found.generative = replace(wordy.generative, model=model, retrieval=settings)
    engine = load_engine(found, 2)
    assert engine and engine.slots == 2
    with world(found, tmp_path, engine) as server:
        told = stream(server, history=["Moon Landing"], n=3)
    assert [name for name, _ in told if name != "status"] == ["item"] * 3 + ["reason"] * 3 + ["done"]
    answer = told[-1][1]
    assert all(item["reason"] and item["reasons_by"] for item in answer["items"])
    assert answer["usage"]["completion_tokens"] > 3 and not answer["notes"]


@pytest.mark.parametrize("number", ["1e999", "NaN", "-1e999"])
def test_numbers_that_are_none_are_refused(server: World, number: str):
    answer = server.client.post("/api/v1/recommend", content=f'{{"where": {{"year": {{"gte": {number}}}}}}}')
    assert answer.status_code == 422


def test_a_stream_that_cannot_begin_has_the_status_of_its_error(server: World):
    answer = server.client.post("/api/v1/recommend", json={"user": "nobody"}, headers=STREAM)
    assert answer.status_code == 404 and answer.json()["error"]["code"] == "not_found"


def test_where_the_model_fails_plain_sentences_stand_and_it_is_said(writing: World, author: Author):
    author.fails = True
    told = stream(writing, history=["Moon Landing"], n=2)
    names = [name for name, _ in told]
    assert names == ["status", "item", "item", "reason", "reason", "done"]
    answer = told[-1][1]
    assert {one["reasons_by"] for one in answer["items"]} == {"template"} and answer["notes"]
    assert writing.ask(history=["Moon Landing"], n=2)["items"] == answer["items"]
    ready = writing.client.get("/api/health/ready")
    assert ready.status_code == 503 and ready.json()["model"] == "failed"


@pytest.mark.parametrize(
    "method, path, body, status, code",
    [
        ("POST", "/api/v1/recommend", {"n": 0}, 422, "invalid_body"),
        ("POST", "/api/v1/recommend", {"n": 51}, 422, "invalid_body"),
        ("POST", "/api/v1/recommend", {"nn": 5}, 422, "invalid_body"),
        ("POST", "/api/v1/recommend", {"where": {"year": {}}}, 422, "invalid_body"),
        ("POST", "/api/v1/recommend", {"where": {"year": "1995"}}, 400, "invalid_request"),
        ("POST", "/api/v1/recommend", {"user": "zoe"}, 404, "not_found"),
        ("POST", "/api/v1/recommend", {"query": "a\x00b", "n": 1}, 400, "invalid_request"),
        ("POST", "/api/v1/feedback", {"user": "ann", "item": "11", "type": "love"}, 422, "invalid_body"),
        ("POST", "/api/v1/feedback", {"user": "zoe", "item": "11", "type": "like"}, 404, "not_found"),
        ("POST", "/api/v1/users", {"id": " a "}, 400, "invalid_request"),
        ("GET", "/api/v1/items/nothing", None, 404, "not_found"),
        ("GET", "/api/v1/nothing", None, 404, "not_found"),
        ("PUT", "/api/v1/recommend", {}, 405, "method_not_allowed"),
        ("POST", "/v1/chat/completions", {"model": "m", "messages": []}, 422, "invalid_body"),
        ("GET", "/api/docs", None, 404, "not_found"),
    ],
)
def test_errors_have_one_shape(server: World, method: str, path: str, body: Any, status: int, code: str):
    answer = server.client.request(method, path, json=body)
    error = answer.json()["error"]
    assert (answer.status_code, error["code"], error["type"]) == (status, code, "invalid_request_error")
    assert error["message"]


def test_a_fault_of_the_program_is_told_without_its_words(
    server: World, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
):
    def broken(*given: object, **more: object) -> None:
        raise KeyError("canary of a user")

    monkeypatch.setattr(server.service.recommender, "recommend_all", broken)
    monkeypatch.setattr(type(server.service.recommender), "recommend_all", broken)
    answer = server.client.post("/api/v1/recommend", json={"query": "canary of a user"})
    assert answer.status_code == 500 and answer.json()["error"]["type"] == "server_error"
    assert "canary" not in answer.text + caplog.text and "KeyError" in caplog.text


def test_logs_hold_neither_ids_nor_words(server: World, caplog: pytest.LogCaptureFixture):
    caplog.set_level("INFO", logger="rectune.serving")
    server.user("canary-id")
    server.ask(user="canary-id", query="canary words")
    server.client.get("/api/v1/users/canary-id")
    server.client.get("/api/v1/items", params={"query": "canary words"})
    assert "/api/v1/users/{user_id}" in caplog.text and "canary" not in caplog.text


def test_a_database_that_cannot_be_reached_is_503(server: World, monkeypatch: pytest.MonkeyPatch):
    def gone() -> None:
        raise DatabaseUnavailable("secret words of a driver", where="postgresql://host/name")

    monkeypatch.setattr(server.database, "reading", gone)
    for path in ("/api/v1/items", "/api/v1/users/ann"):
        answer = server.client.get(path)
        assert answer.status_code == 503 and answer.headers["Retry-After"]
        assert "secret" not in answer.text
    assert server.client.get("/api/health/ready").status_code == 503
    assert server.client.get("/api/health/live").status_code == 200


def test_users_are_made_read_and_changed(server: World):
    made = server.client.post("/api/v1/users", json={"id": "one", "tastes": ["space"], "locale": "ko"})
    assert made.status_code == 201 and made.json()["tastes"] == ["space"]
    assert server.client.post("/api/v1/users", json={"id": "one"}).status_code == 409
    changed = server.client.patch("/api/v1/users/one", json={"tastes": [], "age_band": "30-39"}).json()
    assert (changed["tastes"], changed["age_band"], changed["locale"]) == ([], "30-39", "ko")
    assert server.client.get("/api/v1/users/one").json() == changed
    assert len(server.client.post("/api/v1/users", json={}).json()["id"]) == 32


def test_feedback_is_listed_page_by_page_and_taken_back(server: World):
    server.user("one")
    server.say("one", "seen", "11", "12", "13")
    answer = server.client.post("/api/v1/feedback", json={"user": "one", "item": "99", "type": "like"})
    assert answer.json()["not_in_catalogue"] == ["99"]
    found, after = [], None
    while True:
        asked = {"user": "one", "limit": 2} | ({"after": after} if after else {})
        page = server.client.get("/api/v1/feedback", params=asked).json()
        found += [one["item"] for one in page["entries"]]
        after = page["after"]
        if after is None:
            break
    assert sorted(found) == ["11", "12", "13", "99"]
    gone = server.client.delete("/api/v1/feedback", params={"user": "one", "item": "11"})
    assert gone.json() == {"deleted": 1}
    assert "11" in shown(server.ask(user="one", n=50))


def test_a_time_in_another_unit_is_refused_and_a_clock_that_is_ahead_says_now(server: World):
    def said(type: str, time: int) -> Any:
        entry = {"user": "one", "item": "11", "type": type, "time": time}
        return server.client.post("/api/v1/feedback", json=entry)

    server.user("one")
    now = now_ms()
    for time, why in ((now // 1000, "before 1990"), (now * 1000, "in the future"), (0, "before 1990")):
        answer = said("like", time)
        assert answer.status_code == 400 and why in answer.json()["error"]["message"]
    assert server.client.get("/api/v1/feedback?user=one").json()["entries"] == []
    assert said("like", now + 3600_000).json()["added"] == 1
    server.say("one", "dislike", "11")  # a moment later, by the server's clock
    entries = server.client.get("/api/v1/feedback?user=one").json()["entries"]
    assert [one["type"] for one in entries] == ["dislike"]
    assert said("seen", 800_000_000_000).json()["added"] == 1, "of years ago"


def test_pickers_find_beginnings_first(server: World):
    def find(**asked: Any) -> list[str]:
        found = server.client.get("/api/v1/items", params=asked).json()
        assert found["total"] == 6
        return [item["item_id"] for item in found["items"]]

    assert find(query="b") == ["14", "15", "16"]  # Harbour contains it
    assert find(query="ＭＯＯＮ") == ["11", "12"] and find(query="moon", limit=1) == ["11"]
    assert find(query="zzz") == []
    assert server.client.get("/api/v1/items/12").json()["facts"] == ["maker: Orbit"]


def test_counters_say_what_happened(writing: World):
    writing.ask(history=["Moon Landing"], n=2)
    writing.client.get("/api/v1/users/zoe")
    text = writing.client.get("/metrics").text
    for line in (
        'rectune_requests_total{method="POST",route="/api/v1/recommend",status="200"} 1',
        'rectune_requests_total{method="GET",route="/api/v1/users/{user_id}",status="404"} 1',
        'rectune_request_seconds_count{method="POST",route="/api/v1/recommend"} 1',
        'rectune_answers_total{strategy="history"} 1',
        'rectune_reasons_total{by="model"} 2',
        "rectune_engine_tokens_total 18",
        "rectune_engine_evaluated_prompt_tokens_total 18",
        "rectune_engine_queue 0",
        "rectune_engine_refused_total 0",
        "rectune_unavailable_total 0",
        "rectune_catalogue_items 6",
    ):
        assert line in text.splitlines(), (line, text)
    assert "zoe" not in text


def test_documents_are_ordered_by_their_nearness(server: World):
    body = {"query": "abc", "documents": ["hhhh", {"text": "abcabc"}, "abx"], "top_n": 2}
    answer = server.client.post("/v1/rerank", json=body).json()
    assert [one["index"] for one in answer["results"]] == [1, 2]
    scores = [one["relevance_score"] for one in answer["results"]]
    assert 1 >= scores[0] > scores[1] >= 0
    assert server.client.post("/v1/rerank", json={**body, "model": "other"}).status_code == 404


def test_every_route_needs_a_scope_but_health_and_the_document(server: World):
    app: Any = server.client.app
    free = {route.path for route in app.routes if isinstance(route, APIRoute) and not scope_of(route.path)}
    assert free <= {"/api/health/live", "/api/health/ready"}
    document = server.client.get("/openapi.json").json()
    assert {path for path in document["paths"] if not scope_of(path)} == {
        "/api/health/live", "/api/health/ready",
    }  # fmt: skip
    assert {scope_of(path) for path in document["paths"]} == {
        "", "recommend", "feedback", "items", "users", "chats", "models", "admin",
    }  # fmt: skip


def test_the_document_has_examples_that_are_right(server: World):
    document = server.client.get("/openapi.json").json()
    bodies = document["components"]["schemas"]
    for name, path, status in (
        ("NewUser", "/api/v1/users", 201),
        ("RecommendBody", "/api/v1/recommend", 200),
        ("Entry", "/api/v1/feedback", 200),
        ("RerankBody", "/v1/rerank", 200),
    ):
        for example in bodies[name]["examples"]:
            answer = server.client.post(path, json=example)
            assert answer.status_code == status, answer.text


def test_constrained_decoding_is_refused_before_anybody_asks(wordy: Recommender):
    found = copy(wordy)
    assert found.generative
    settings = found.generative.retrieval.model_copy(update={"grounding": "constrained"})
    found.generative, found.ranker = replace(found.generative, retrieval=settings), None
    with pytest.raises(UserError, match="constrained"):
        prepare(found)
    prepare(wordy)


def test_a_server_can_be_made_again_over_the_same_store(recommender: Recommender, tmp_path: Path):
    with world(recommender, tmp_path) as server:
        server.user("stays")
        server.say("stays", "like", "14")
    with world(recommender, tmp_path) as server:
        assert isinstance(server.client, TestClient)
        assert shown(server.ask(user="stays", n=1)) == ["15"]
