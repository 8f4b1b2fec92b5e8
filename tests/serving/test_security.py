"""Who may ask: keys, scopes, hosts, origins; how much and how often."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rectune.core.errors import UserError
from rectune.recommender.recommender import Recommender
from rectune.serving.config import Limits, ServerConfig, check_exposed
from rectune.serving.limits import OpenGenerations, RateLimit, TooManyRequests
from rectune.serving.store import api_keys
from tests.serving.world import World, world


def key(server: World, *scopes: str, name: str = "shop") -> str:
    """A new key."""
    with server.database.writing() as session:
        return api_keys.create(session, name, scopes)


def status(server: World, path: str = "/api/v1/items", **headers: str) -> int:
    """Of a GET with these headers."""
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    return server.client.get(path, headers=given).status_code


def test_with_a_key_in_the_store_every_route_needs_one(server: World):
    assert status(server) == 200
    made = key(server, "items", "admin")
    paths = server.client.get("/openapi.json").json()["paths"]
    for path, methods in paths.items():
        for method in methods:
            answer = server.client.request(method, path.replace("{", "").replace("}", ""), json={})
            assert answer.status_code in ((200,) if "health" in path else (401,)), (method, path)
            if answer.status_code == 401:
                assert answer.headers["WWW-Authenticate"] == "Bearer"
    assert status(server, X_API_Key=made) == status(server, Authorization=f"Bearer {made}") == 200
    assert status(server, "/metrics", X_API_Key=made) == 200
    for wrong in (made[:-1], made + "x", "rectune__", "x"):
        assert status(server, X_API_Key=wrong) == 401
    assert status(server, Authorization=f"Basic {made}") == 401


def test_a_key_opens_its_scopes_only_and_ends_at_once(server: World):
    items, users = key(server, "items", name="one"), key(server, "users", name="two")
    assert status(server, X_API_Key=items) == 200 and status(server, X_API_Key=users) == 403
    assert status(server, "/metrics", X_API_Key=items) == 403
    with server.database.writing() as session:
        for row in api_keys.list_all(session):
            assert api_keys.revoke(session, row.id)
    assert status(server, X_API_Key=items) == 401
    assert status(server) == 401  # a store that has had keys is not open again


def test_a_server_that_requires_a_key_takes_none_without(recommender: Recommender, tmp_path: Path):
    with world(recommender, tmp_path, require_key=True) as server:
        assert status(server) == 401 and status(server, X_API_Key=key(server, "items")) == 200


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.1.5", "shop.example", "::"])
def test_another_host_without_a_key_is_refused(host: str):
    config = ServerConfig(host=host, recipe="demo")
    with pytest.raises(UserError, match="API key"):
        check_exposed(config, False)
    check_exposed(config, True)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "localhost", "::1"])
def test_this_machine_needs_no_key_unless_told(host: str):
    check_exposed(ServerConfig(host=host, recipe="demo"), False)
    with pytest.raises(UserError, match="API key"):
        check_exposed(ServerConfig(host=host, recipe="demo", require_key=True), False)


@pytest.mark.parametrize(
    "given",
    [{"port": -1}, {"port": 70000}, {"recipe": ""}, {"catalogue": Path("x")}, {"database": ""}, {"slots": 0},
     {"facts": ("price",)}],
)  # fmt: skip
def test_settings_that_cannot_be_are_refused(given: dict[str, Any]):
    with pytest.raises(UserError):
        ServerConfig(**{"recipe": "demo"} | given)


@pytest.mark.parametrize(
    "host, expected",
    [
        ("127.0.0.1:8000", 200), ("localhost", 200), ("[::1]:8000", 200), ("10.1.2.3", 200),
        ("shop.example", 200), ("shop.example:8000", 200), ("evil.example", 400), ("", 400), ("[", 400),
        ("evil.example:127.0.0.1", 400), ("127.0.0.1.evil.example", 400),
    ],
)  # fmt: skip
def test_only_expected_hosts_are_answered(recommender: Recommender, tmp_path: Path, host: str, expected: int):
    with world(recommender, tmp_path, allowed_hosts=("shop.example",)) as server:
        assert status(server, Host=host) == expected


@pytest.mark.parametrize(
    "headers, expected",
    [
        ({}, 201),
        ({"Sec-Fetch-Site": "same-origin"}, 201),
        ({"Sec-Fetch-Site": "none"}, 201),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Origin": "http://127.0.0.1:8000"}, 201),
        ({"Origin": "http://127.0.0.1:9000"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "https://evil.example"}, 403),
    ],
)
def test_pages_of_other_origins_change_nothing(server: World, headers: dict[str, str], expected: int):
    answer = server.client.post("/api/v1/users", json={"id": "new"}, headers=headers)
    assert answer.status_code == expected
    assert server.client.get("/api/v1/users/new", headers=headers).status_code == (
        200 if expected == 201 else 404
    )


def test_bodies_are_bounded(server: World):
    entry = {"user": "ann", "item": "11", "type": "like"}
    assert server.client.post("/api/v1/feedback", json=[entry] * 500).status_code == 200
    long = server.client.post("/api/v1/feedback", content=b" " * 65_537)
    assert long.status_code == 413 and long.json()["error"]["code"] == "body_too_large"

    def parts() -> Any:
        for _ in range(70):
            yield b" " * 1024

    chunked = server.client.post("/api/v1/feedback", content=parts())
    assert chunked.status_code == 413 and chunked.json()["error"]["code"] == "body_too_large"


def test_too_many_requests_are_told_when_to_come_again(recommender: Recommender, tmp_path: Path):
    with world(recommender, tmp_path, limits=Limits(requests_per_minute=5)) as server:
        statuses = [status(server) for _ in range(7)]
        assert statuses == [200] * 5 + [429] * 2
        answer = server.client.get("/api/v1/items")
        assert 1 <= int(answer.headers["Retry-After"]) <= 12
        assert answer.json()["error"]["code"] == "too_many_requests"
        assert status(server, "/api/health/live") == 200  # probes are not counted
        wrong = [status(server, X_API_Key="rectune_a_b") for _ in range(2)]
        assert wrong == [429, 429]  # a made-up key is no way out


def test_every_answer_has_strict_headers(server: World):
    for path in ("/api/v1/items", "/api/health/live", "/openapi.json", "/nothing", "/api/v1/items/none"):
        headers = server.client.get(path).headers
        assert headers["Content-Security-Policy"].startswith("default-src 'none'")
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Cache-Control"] == "no-store" and "server" not in headers
    refused = server.client.get("/api/v1/items", headers={"Host": "evil.example"})
    assert refused.headers["X-Content-Type-Options"] == "nosniff"


@given(st.lists(st.floats(0, 30), max_size=60), st.integers(1, 10))
def test_a_bucket_never_lets_more_through_than_it_holds_and_gains(waits: list[float], most: int):
    now = 0.0
    limit = RateLimit(most, clock=lambda: now)
    let = 0
    for wait in waits:
        now += wait
        try:
            limit.take("one")
            let += 1
        except TooManyRequests as refused:
            assert refused.retry_after >= 1
    assert let <= most + now * most / 60 + 1e-6
    now += 60
    for _ in range(most):
        limit.take("one")
    with pytest.raises(TooManyRequests):
        limit.take("one")
    limit.take("another")


def test_open_answers_are_counted_by_user_and_given_back_after_errors():
    held = OpenGenerations(1)
    with pytest.raises(ValueError), held.of("a"):
        with held.of("b"):
            pass
        with pytest.raises(TooManyRequests), held.of("a"):
            pass
        raise ValueError
    with held.of("a"):
        pass
