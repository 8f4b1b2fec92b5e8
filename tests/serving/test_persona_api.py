"""The persona over HTTP: read, added to, kept, edited, removed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from rectune.recommender.recommender import Recommender
from rectune.serving.personas import MOST
from rectune.serving.store import api_keys
from tests.dialogue.people import KINDS, of_kind
from tests.serving.world import World, shown, world

HORROR = 0


@pytest.fixture
def server(library: Recommender, tmp_path: Path) -> Iterator[World]:
    """A server of them, with a user who likes horror."""
    with world(library, tmp_path) as made:
        made.user("ann")
        made.say("ann", "like", *of_kind(HORROR, 8))
        yield made


def persona(server: World, user: str = "ann") -> dict[str, Any]:
    answer = server.client.get(f"/api/v1/users/{user}/persona")
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def decide(server: World, **body: Any) -> Any:
    return server.client.patch("/api/v1/users/ann/persona", json=body)


def test_a_claim_comes_with_its_evidence(server: World) -> None:
    found = persona(server)
    (claim,) = found["claims"]
    assert (claim["stance"], claim["aspect"], claim["value"]) == ("likes", "category", "Horror")
    assert (claim["count"], claim["of"], claim["state"]) == (8, 8, "inferred")
    assert [one["item_id"] for one in claim["evidence"]] == of_kind(HORROR, 8)[::-1]
    assert claim["evidence"][0]["title"] == "Title 70" and claim["text"] in claim["text"]
    assert found["user"] == "ann" and found["worded_by"] == "template" and "Horror" in found["portrait"][0]


def test_decisions_count_at_once_and_stay(server: World) -> None:
    (claim,) = persona(server)["claims"]
    kept = decide(server, claim=claim["id"], action="keep").json()
    assert kept["claims"][0]["state"] == "kept" and kept["version"] == 2
    removed = decide(server, claim=claim["id"], action="remove").json()
    assert [one["state"] for one in removed["claims"]] == ["removed"]
    server.say("ann", "like", *of_kind(HORROR, 4, start=8))
    assert [one["state"] for one in persona(server)["claims"]] == ["removed"], "not concluded again"
    edited = decide(server, claim=claim["id"], action="edit", text="no horror").json()
    first = edited["claims"][0]
    assert (first["stance"], first["state"], first["worded_by"], first["text"]) == (
        "avoids", "edited", "person", "no horror",
    )  # fmt: skip
    answer = server.ask(user="ann", n=20, explain=0)
    assert all(int(item[1:]) % KINDS != HORROR for item in shown(answer))
    assert answer["persona"] == persona(server)["version"]


def test_what_is_added_is_there(server: World) -> None:
    added = server.client.post("/api/v1/users/ann/persona", json={"text": "westerns, no romance"})
    values = {(one["stance"], one["value"], one["quote"]) for one in added.json()["claims"]}
    assert {("likes", "Western", "westerns"), ("avoids", "Romance", "no romance")} <= values


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"claim": "unknown", "action": "keep"}, 404),
        ({"claim": "unknown", "action": "edit"}, 422),
        ({"claim": "unknown", "action": "remove", "text": "x"}, 422),
        ({"claim": "unknown", "action": "praise"}, 422),
        ({"action": "keep"}, 422),
    ],
)
def test_what_cannot_be_decided(server: World, body: dict[str, Any], status: int) -> None:
    assert decide(server, **body).status_code == status


@pytest.mark.parametrize("text", ["", "   ", ",,, !", "x" * 201, "nul \x00"])
def test_what_cannot_be_added(server: World, text: str) -> None:
    answer = server.client.post("/api/v1/users/ann/persona", json={"text": text})
    assert answer.status_code in (400, 422) and "claims" not in answer.json()
    assert persona(server)["version"] == 1


def test_nobody_knows_a_stranger(server: World) -> None:
    path = "/api/v1/users/zoe/persona"
    answers = [server.client.get(path), server.client.post(path, json={"text": "tea"})]
    assert [one.status_code for one in answers] == [404, 404]
    server.user("bob")
    assert persona(server, "bob")["claims"] == []


def test_how_much_may_be_added_is_bounded(server: World) -> None:
    words = iter(f"word{number}" for number in range(10 * MOST))
    for _ in range(MOST // 20):
        text = ",".join(next(words) for _ in range(22))
        answer = server.client.post("/api/v1/users/ann/persona", json={"text": text[:200]})
    assert answer.status_code == 400 and str(MOST) in answer.json()["error"]["message"]
    assert len(persona(server)["claims"]) <= MOST


def test_a_key_needs_the_scope_of_users(server: World) -> None:
    with server.database.writing() as session:
        keys = {name: api_keys.create(session, name, [name]) for name in ("users", "recommend")}
    path = "/api/v1/users/ann/persona"
    statuses = {
        name: server.client.get(path, headers={"X-API-Key": getattr(key, "key", key)}).status_code
        for name, key in keys.items()
    }
    assert statuses == {"users": 200, "recommend": 403}
