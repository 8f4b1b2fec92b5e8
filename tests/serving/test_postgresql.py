"""The service over PostgreSQL: the same answers, and several requests of one user at once."""

from __future__ import annotations

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
