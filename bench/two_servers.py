"""`python -m bench.two_servers`: two servers of one PostgreSQL behind nginx, tried as clients use them.

Everything is started here, on 127.0.0.1: PostgreSQL, two servers (`bench.kill_server`), and nginx with the
configuration of `docs/deploy/nginx.conf`, its ports and certificates aside. Prints a table for
`docs/deploy.md`; the status is 1 where something is not as it should be. It needs `nginx` and PostgreSQL's
server.
"""

from __future__ import annotations

import re
import shutil
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from pathlib import Path

import httpx2

from bench.kill_server import started
from bench.serve_server import listening
from rectune.serving.store import api_keys
from rectune.serving.store.database import open_database

_CONF = Path(__file__).parents[1] / "docs" / "deploy" / "nginx.conf"
_WAIT = 600.0  # seconds: a busy machine takes minutes to import what ranks
_TURNS = 12


@dataclass(frozen=True)
class Pair:
    """Two servers of one database.

    Attributes:
        clients: one of each, with a key.
        processes: of the servers.
        place: the address of the database.
        key: the id of that key.
    """

    clients: Sequence[httpx2.Client]
    processes: Sequence[BaseProcess]
    place: str
    key: str

    @property
    def ports(self) -> list[int]:
        """Where they listen."""
        return [client.base_url.port or 80 for client in self.clients]


@contextmanager
def pair(place: str, folder: Path) -> Iterator[Pair]:
    """Two servers of the sample films over an empty database, each with a folder of its own."""
    with open_database(place) as database, database.writing() as session:
        key = api_keys.create(session, "shop", api_keys.SCOPES)
    with ExitStack() as stack:
        processes, clients = [], []
        for name in ("one", "two"):
            log = folder / f"{name}.log"
            processes.append(started(place, folder / name, log))
            stack.callback(_ended, processes[-1])
            address = listening(log, processes[-1].is_alive)
            clients.append(stack.enter_context(_client(address, key)))
        yield Pair(clients, processes, place, key.split("_")[1])


def _client(address: str, key: str = "") -> httpx2.Client:
    headers = {"X-API-Key": key} if key else {}
    return httpx2.Client(base_url=address, headers=headers, timeout=_WAIT, trust_env=False)


def _ended(process: BaseProcess) -> None:
    process.kill()
    process.join()


def feedback_counts(ask: httpx2.Client, tell: httpx2.Client, user: str) -> str:
    """What is said to one counts at the next answer of the other, turn by turn."""
    assert tell.post("/api/v1/users", json={"id": user}).status_code == 201
    gone: set[str] = set()
    for turn in range(_TURNS):
        one, other = (ask, tell) if turn % 2 else (tell, ask)
        answer = one.post("/api/v1/recommend", json={"user": user, "n": 5, "explain": False})
        ids = [item["item_id"] for item in answer.raise_for_status().json()["items"]]
        assert ids and not gone & set(ids), f"{gone & set(ids)} came again"
        type = ("like", "seen", "hide")[turn % 3]
        told = {"user": user, "item": ids[0], "type": type}
        other.post("/api/v1/feedback", json=told).raise_for_status()
        gone.add(ids[0])
    return f"{_TURNS} turns: nothing came again"


def answers_go_on(one: httpx2.Client, other: httpx2.Client, user: str) -> str:
    """`again` to an answer of one is asked of the other."""
    first = one.post("/api/v1/recommend", json={"user": user, "n": 3}).raise_for_status().json()
    again = (
        other.post(f"/api/v1/recommend/{first['id']}/again", json={"user": user}).raise_for_status().json()
    )
    both = [{item["item_id"] for item in answer["items"]} for answer in (first, again)]
    assert both[0] and both[1] and not both[0] & both[1]
    return "three more items, none twice"


def items_reach_both(one: httpx2.Client, other: httpx2.Client) -> str:
    """Items that are added and deleted at one are served so by both."""
    new = [{"item_id": f"n{at}", "title": f"Harbour Lights {at}", "categories": ["Drama"]} for at in range(5)]
    start = time.monotonic()
    one.post("/api/v1/items", json={"items": new}).raise_for_status()
    _until(lambda: all(client.get("/api/v1/items/n0").status_code == 200 for client in (one, other)))
    there = time.monotonic() - start
    other.delete("/api/v1/items/n0").raise_for_status()
    _until(lambda: all(client.get("/api/v1/items/n0").status_code == 404 for client in (one, other)))
    return (
        f"added: at both after {there:.1f} s; deleted: at both after {time.monotonic() - start - there:.1f} s"
    )


def sessions_hold(one: httpx2.Client, other: httpx2.Client) -> str:
    """A visitor of the page who came in at one is known at the other, and signed out at both."""
    with _client(str(one.base_url)) as first, _client(str(other.base_url)) as second:
        assert first.post("/welcome", data={"consent": "1", "without": "1"}).status_code == 303
        second.cookies = first.cookies
        assert first.cookies and second.get("/").headers["location"] == "/for-you"
        cookies = httpx2.Cookies(first.cookies)
        second.post("/leave")
        first.cookies = cookies
        assert first.get("/").headers["location"] == "/welcome"
    return "signed in at one, known at the other; signed out at one, unknown at the other"


def keys_are_revoked(pair: Pair) -> str:
    """A key that is revoked is refused by both."""
    for client in pair.clients:
        client.get("/api/v1/items").raise_for_status()
    with open_database(pair.place) as database, database.writing() as session:
        assert api_keys.revoke(session, pair.key)
    assert [client.get("/api/v1/items").status_code for client in pair.clients] == [401, 401]
    return "401 from both at the next request"


def _until(done: Callable[[], bool]) -> None:
    end = time.monotonic() + _WAIT
    while not done():
        assert time.monotonic() < end, "it takes too long"
        time.sleep(0.1)


@contextmanager
def nginx(ports: Sequence[int], folder: Path) -> Iterator[str]:
    """nginx with our configuration before these ports; gives its address. It has no TLS here.

    Raises:
        SystemExit: nginx is not installed, or does not start.
    """
    program = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
    if not program:
        raise SystemExit("nginx is not installed (Debian: apt-get install nginx-light)")
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    conf = folder / "nginx.conf"
    http = "".join(_temporary(folder)) + _without_tls(_CONF.read_text(), ports, port)
    conf.write_text(
        f"worker_processes 1; daemon off; pid {folder}/pid; error_log {folder}/nginx.log;\n"
        f"events {{}}\nhttp {{\n{http}}}\n"
    )
    process = subprocess.Popen([program, "-c", str(conf), "-p", str(folder)])
    try:
        _until(lambda: process.poll() is not None or _answers(port))
        if process.poll() is not None:
            raise SystemExit((folder / "nginx.log").read_text())
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait()


def _temporary(folder: Path) -> Iterator[str]:
    for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"):
        yield f"{name}_temp_path {folder}/{name};\n"


def _without_tls(text: str, ports: Sequence[int], port: int) -> str:
    for at, own in enumerate(ports, 1):
        text = text.replace(f"127.0.0.1:800{at}", f"127.0.0.1:{own}")
    head, _, rest = text.partition("server {\n    listen 80;")
    rest = rest.partition("}\n")[2]
    rest = re.sub(r"    ssl_.*\n", "", rest).replace("listen 443 ssl;", f"listen 127.0.0.1:{port};")
    return head + rest


def _answers(port: int) -> bool:
    with socket.socket() as found:
        return found.connect_ex(("127.0.0.1", port)) == 0


def one_ends(front: httpx2.Client, process: BaseProcess) -> str:
    """While requests come, one server gets SIGTERM: no request fails."""
    over, statuses = threading.Event(), list[int]()

    def ask() -> None:
        while not over.is_set():
            answer = front.post("/api/v1/recommend", json={"n": 3, "explain": False})
            statuses.append(answer.status_code)
            over.wait(0.1)  # nginx lets 20 a second pass

    thread = threading.Thread(target=ask)
    thread.start()
    _until(lambda: len(statuses) >= 5)
    process.terminate()
    process.join(60)
    before = len(statuses)
    _until(lambda: len(statuses) >= before + 10)
    over.set()
    thread.join()
    assert set(statuses) == {200} and process.exitcode == 0, (set(statuses), process.exitcode)
    return f"{len(statuses)} requests, all answered; the server ended with the status 0"


def events_come_one_by_one(front: httpx2.Client) -> str:
    """A stream of events through nginx has its own type, and ends with the whole answer."""
    headers = {"Accept": "text/event-stream"}
    with front.stream("POST", "/api/v1/recommend", json={"n": 2}, headers=headers) as stream:
        names = [line[7:] for line in stream.iter_lines() if line.startswith("event: ")]
    assert names[0] == "status" and names[-1] == "done", names
    return ", ".join(dict.fromkeys(names))


def main() -> None:
    """Try everything, and print the table."""
    from tests.serving.store.postgres_server import running

    rows = ["| tried | outcome |", "|---|---|"]

    def tried(what: str, outcome: str) -> None:
        print(f"{what}: {outcome}", flush=True)
        rows.append(f"| {what} | {outcome} |")

    with running() as server, tempfile.TemporaryDirectory(prefix="rectune-two-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        with pair(server.make("two"), folder) as both, nginx(both.ports, folder) as address:
            one, two = both.clients
            with _client(address, one.headers["x-api-key"]) as front:
                tried("feedback to one counts at the other", feedback_counts(one, two, "ann"))
                tried("feedback through nginx, to whichever it chooses", feedback_counts(front, front, "ben"))
                tried("`again` at the other", answers_go_on(one, two, "ann"))
                tried("items", items_reach_both(one, two))
                tried("sessions of the page", sessions_hold(one, two))
                tried("a stream of events through nginx", events_come_one_by_one(front))
                tried("`/metrics` through nginx", str(front.get("/metrics").status_code))
                tried("one server is ended under load, through nginx", one_ends(front, both.processes[0]))
        (folder / "again").mkdir()
        with pair(server.make("keys"), folder / "again") as both:
            tried("a key is revoked", keys_are_revoked(both))
    print("\n" + "\n".join(rows))


if __name__ == "__main__":
    main()
