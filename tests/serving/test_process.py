"""`rectune serve` as a process: asked over the network, and ended by SIGTERM; and what it refuses."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

ROOT = Path(__file__).parents[2]
FILMS = ROOT / "samples" / "movielens" / "movies.csv"
RECTUNE = [sys.executable, "-m", "rectune.cli.main"]


def refused(*arguments: str, status: int = 2) -> str:
    """What a command that is refused says."""
    answer = subprocess.run([*RECTUNE, *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
    assert answer.returncode == status and "Traceback" not in answer.stderr, answer.stderr
    return answer.stderr


@pytest.mark.slow
def test_what_cannot_be_served_is_one_clear_error(tmp_path: Path):
    films, runs = ["--catalogue", str(FILMS)], ["--runs", str(tmp_path)]
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert "port" in refused("serve", *films, *runs, "--port", str(port))
    free = ["--port", "0", *runs]
    assert "API key" in refused("serve", *films, *free, "--host", "0.0.0.0")
    assert "nothing to recommend from" in refused("serve", *free)
    assert "no such file" in refused("serve", "--catalogue", str(tmp_path / "none.csv"), *free)
    other = tmp_path / "other.db"
    other.write_text("this is no database at all, but a text that somebody wrote")
    assert str(other) in refused("serve", *films, *free, "--database", str(other))
    secret = refused("serve", *films, *free, "--database", "postgresql://me:hunter2@127.0.0.1:9/x")
    assert "127.0.0.1:9" in secret and "hunter2" not in secret
    assert "demo" in refused("serve", "demo", *free)


@pytest.fixture
def running(tmp_path: Path) -> Iterator[tuple[subprocess.Popen[str], str, str]]:
    """A server of the sample films, its address, and a key."""
    database = ["--database", str(tmp_path / "store.sqlite"), "--runs", str(tmp_path)]
    made = subprocess.run(
        [*RECTUNE, "keys", "create", "shop", *database], cwd=ROOT, capture_output=True, text=True, check=True
    )
    command = [*RECTUNE, "serve", "--catalogue", str(FILMS), "--domain", "movies", "--port", "0", *database]
    process = subprocess.Popen(
        command, cwd=ROOT, stderr=subprocess.PIPE, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"}
    )
    assert process.stderr
    said = ""
    try:
        for line in process.stderr:
            said += line
            if found := re.fullmatch(r"listening on (\S+)\n", line):
                yield process, found[1], made.stdout.strip()
                return
        pytest.fail(said)
    finally:
        process.kill()
        process.wait()


@pytest.mark.slow
def test_a_server_is_started_asked_and_ended(running: tuple[subprocess.Popen[str], str, str]):
    process, address, key = running
    assert httpx2.get(f"{address}/api/health/ready").json()["status"] == "ready"
    assert httpx2.post(f"{address}/api/v1/recommend", json={}).status_code == 401
    with httpx2.Client(base_url=address, headers={"X-API-Key": key}, timeout=60) as client:
        (film,) = client.get("/api/v1/items", params={"query": "toy story", "limit": 1}).json()["items"]
        assert client.post("/api/v1/users", json={"id": "canary"}).status_code == 201
        like = {"user": "canary", "item": film["item_id"], "type": "like"}
        assert client.post("/api/v1/feedback", json=like).json()["added"] == 1
        answer = client.post("/api/v1/recommend", json={"user": "canary", "n": 3}).json()
        assert answer["strategy"] == "history" and len(answer["items"]) == 3
        assert film["item_id"] not in [item["item_id"] for item in answer["items"]]
        headers = {"Accept": "text/event-stream"}
        body = {"query": "a film about toys", "n": 2}
        with client.stream("POST", "/api/v1/recommend", json=body, headers=headers) as stream:
            lines = list(stream.iter_lines())
        assert lines[0] == "event: status" and json.loads(lines[-2].removeprefix("data: "))["items"]
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == 0
    assert process.stderr
    log = process.stderr.read()
    assert "POST /api/v1/recommend 200" in log and "canary" not in log and "toys" not in log
    with pytest.raises(httpx2.ConnectError):
        httpx2.get(f"{address}/api/health/live")
