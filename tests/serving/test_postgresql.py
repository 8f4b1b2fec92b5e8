"""The service over PostgreSQL: the same answers, several requests of one user at once, two servers."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from rectune.recommender.recommender import Recommender
from tests.serving.store.postgres_server import running
from tests.serving.world import Author, shown, world


@pytest.mark.slow
def test_users_are_served_from_postgresql(wordy: Recommender, tmp_path: Path):
    with (
        running() as postgres,
        world(wordy, tmp_path, Author(), max_waiting=50, database=postgres.make("served")) as server,
    ):
        server.user("newcomer")
        server.say("newcomer", "like", "14")
        first = server.ask(user="newcomer", n=1)
        assert shown(first) == ["15"] and first["items"][0]["reasons_by"] == "model"
        again = server.client.post(
            f"/api/v1/recommend/{first['id']}/again", json={"user": "newcomer", "n": 5}
        )
        assert "15" not in shown(again.json())
        server.say("newcomer", "hide", "15")

        def ask(turn: int) -> list[str]:
            if turn % 2:
                server.say("newcomer", "seen", "11")
            return shown(server.ask(user="newcomer", n=50, explain=False))

        with ThreadPoolExecutor(2) as pool:
            for found in pool.map(ask, range(10)):
                assert not {"14", "15"} & set(found)
        assert "11" not in shown(server.ask(user="newcomer", n=50))
        assert server.client.get("/api/v1/users/newcomer/export").json()["feedback"]
        assert server.client.delete("/api/v1/users/newcomer").status_code == 204


@pytest.mark.slow
def test_two_servers_of_one_database_serve_the_same_catalogue(recommender: Recommender, tmp_path: Path):
    with running() as postgres:
        place = postgres.make("shared")
        with (
            world(recommender, tmp_path / "one", database=place) as one,
            world(recommender, tmp_path / "two", database=place) as two,
        ):
            new = {"item_id": "17", "title": "Rocket Base", "categories": ["Space"]}
            assert one.client.post("/api/v1/items", json={"items": [new]}).status_code == 202
            assert two.client.delete("/api/v1/items/13").status_code == 202
            until = time.monotonic() + 60
            while time.monotonic() < until:
                served = {server.client.get("/api/health/ready").json()["catalogue"] for server in (one, two)}
                jobs = {two.client.get(f"/api/v1/jobs/{id}").json()["state"] for id in (1, 2)}
                if served == {2} and jobs == {"done"}:
                    break
                time.sleep(0.1)
            assert served == {2} and jobs == {"done"}
            found = [set(shown(server.ask(n=50))) for server in (one, two)]
            assert found == [{"11", "12", "14", "15", "16", "17"}] * 2
