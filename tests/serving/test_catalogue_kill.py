"""A server is killed while it changes its catalogue: the next start ends with the same one."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2
import pytest

ROOT = Path(__file__).parents[2]
FILMS = ROOT / "samples" / "movielens" / "movies.csv"
WAIT = 120.0


@contextmanager
def running(folder: Path) -> Iterator[tuple[subprocess.Popen[str], httpx2.Client]]:
    """A server of the sample films, with the store of this folder."""
    command = [sys.executable, "-m", "rectune.cli.main", "serve", "--catalogue", str(FILMS), "--model",
               "none",
               "--port", "0", "--database", str(folder / "store.sqlite"), "--runs", str(folder)]  # fmt: skip
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True, env=environment)
    assert process.stderr
    said = ""
    try:
        for line in process.stderr:
            said += line
            if found := re.fullmatch(r"listening on (\S+)\n", line):
                with httpx2.Client(base_url=found[1], timeout=WAIT) as client:
                    yield process, client
                return
        pytest.fail(said)
    finally:
        process.kill()
        process.wait()
        process.stderr.close()


def jobs_end(client: httpx2.Client, ids: list[int]) -> None:
    """Wait until these jobs are done."""
    until = time.monotonic() + WAIT
    while time.monotonic() < until:
        states = {client.get(f"/api/v1/jobs/{id}").json()["state"] for id in ids}
        if states == {"done"}:
            return
        time.sleep(0.05)
    pytest.fail(str(states))


@pytest.mark.slow
@pytest.mark.parametrize("delay", [0.0, 0.6])
def test_a_killed_server_goes_on_at_its_next_start(tmp_path: Path, delay: float):
    new = [
        {"item_id": f"n{at}", "title": f"Harbour Lights {at}", "categories": ["Drama"]} for at in range(40)
    ]
    with running(tmp_path) as (process, client):
        before = client.get("/api/v1/items", params={"query": "toy story", "limit": 1}).json()
        toys = before["items"][0]["item_id"]
        ids = [client.post("/api/v1/items", json={"items": new}).json()["id"],
               client.delete(f"/api/v1/items/{toys}").json()["id"]]  # fmt: skip
        time.sleep(delay)
        process.send_signal(signal.SIGKILL)
        process.wait()
    asked = {"query": "harbour lights", "n": 50, "explain": False}
    found = []
    for _ in range(2):
        with running(tmp_path) as (_, client):
            jobs_end(client, ids)
            assert client.get("/api/health/ready").json()["catalogue"] == 2
            listed = client.get("/api/v1/items", params={"limit": 1}).json()
            assert listed["total"] == before["total"] + len(new) - 1
            assert client.get(f"/api/v1/items/{toys}").status_code == 404
            items = client.post("/api/v1/recommend", json=asked).json()["items"]
            assert toys not in [one["item_id"] for one in items]
            found.append([(one["item_id"], one["score"]) for one in items])
    assert found[0] == found[1] and {f"n{at}" for at in range(40)} <= {item for item, _ in found[0]}
