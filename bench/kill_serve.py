"""`make bench-kill`: the service is killed while clients write feedback, and started again, 50 times.

A server of the sample films without a model (`bench.kill_server`), on 127.0.0.1, with SQLite and then with
PostgreSQL (a server of its own, which is not killed). Six clients send feedback, and write a line to the disk
for what was acknowledged. At a random moment the server gets SIGKILL. After the next start all that is kept
is compared with these lines: no acknowledged entry may be lost or doubled, no write may be kept in part, and
the database must be intact. Then the writes that got no answer are sent once more, as a client would.

The status is 1 where anything is wrong. `ARGS="--kills 3"` is a short version.
"""

from __future__ import annotations

import argparse
import random
import sqlite3
import statistics
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from multiprocessing.process import BaseProcess
from pathlib import Path

import httpx2

from bench.kill_clients import Ledger, faults, send_again, wait_for, write_until_killed
from bench.kill_server import started
from bench.serve_server import listening
from rectune.serving.store import api_keys
from rectune.serving.store.database import open_database

_CLIENTS, _USERS = 6, ("ann", "ben", "cho")
_LOAD = 60  # writes that are acknowledged before a kill, at most
_LONGEST = 20.0  # seconds until a kill, at most
_SEED = 7
DATABASES = ("sqlite", "postgresql")


@dataclass
class KillFigures:
    """What came of one database.

    Attributes:
        kills: of the server.
        starts: seconds from the start of the process until it was ready.
        acknowledged: entries whose write was answered with 200.
        open: entries whose write got no answer.
        landed: of these, kept all the same.
        faults: see `bench.kill_clients.faults`, and `damaged`: findings of the database's own check.
        refused: status -> writes that the server refused.
    """

    kills: int = 0
    starts: list[float] = field(default_factory=list)
    acknowledged: int = 0
    open: int = 0
    landed: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    refused: Counter[int] = field(default_factory=Counter)

    def row(self, name: str) -> str:
        """A line of the table."""
        wrong = [self.faults[what] for what in ("lost", "doubled", "torn", "unknown", "damaged")]
        ready = f"{statistics.median(self.starts):.1f} ({max(self.starts):.1f})"
        told = [
            name,
            self.kills,
            ready,
            f"{self.acknowledged:,}",
            f"{self.open:,}",
            f"{self.landed:,}",
            *wrong,
        ]
        return "| " + " | ".join(map(str, told)) + " |"


HEAD = (
    "| database | kills | ready after, s: median (longest) | entries acknowledged | without an answer | "
    "of these kept | lost | doubled | in part | unknown | damage |\n|---|" + "---:|" * 10
)


def run(place: str, kills: int, folder: Path, show: Callable[[str], None] = print) -> KillFigures:
    """Kill a server so often.

    Args:
        place: the address of an empty database.
        kills: how often.
        folder: keeps the logs and what the server keeps beside its database.
        show: hears of each start.
    """
    figures, rng = KillFigures(), random.Random(_SEED)
    (folder / "clients").mkdir(parents=True)
    ledger = Ledger(folder / "clients", _USERS)
    with open_database(place) as database, database.writing() as session:
        keys = [api_keys.create(session, f"c{n}", ("feedback", "users")) for n in range(_CLIENTS + 1)]
    for round in range(kills + 1):
        with _server(place, folder, figures) as (process, address):
            _checked(address, keys[-1], place, ledger, figures, round)
            show(f"{round} kills: {_shown(figures)}")
            if round < kills:
                _killed(process, address, keys[:-1], ledger, round, rng)
                figures.kills += 1
    figures.refused = ledger.refused
    return figures


def _killed(
    process: BaseProcess, address: str, keys: list[str], ledger: Ledger, round: int, rng: random.Random
) -> None:
    """Let clients write, and kill the server under them: after a number of writes, and a moment more."""
    over = threading.Event()
    clients = write_until_killed(address, keys, ledger, round, over)
    wanted, until = len(ledger.acknowledged) + rng.randint(0, _LOAD), time.monotonic() + _LONGEST
    while len(ledger.acknowledged) < wanted and time.monotonic() < until:
        time.sleep(0.001)
    time.sleep(rng.uniform(0, 0.1))
    process.kill()
    process.join()
    over.set()
    wait_for(clients, 60)


def _checked(address: str, key: str, place: str, ledger: Ledger, figures: KillFigures, round: int) -> None:
    """Compare what is kept with what was acknowledged; then send again what got no answer."""
    with httpx2.Client(base_url=address, headers={"X-API-Key": key}, timeout=120, trust_env=False) as http:
        for user in _USERS if round == 0 else ():
            http.post("/api/v1/users", json={"id": user}).raise_for_status()
        before = _kept(http)
        assert sorted(map(repr, ledger.logged())) == sorted(map(repr, ledger.acknowledged))
        figures.faults.update(faults(before, ledger))
        figures.faults["damaged"] += damage(place)
        figures.acknowledged = sum(len(write.entries) for write in ledger.acknowledged)
        figures.open += sum(len(write.entries) for write in ledger.open)
        again = send_again(address, key, ledger, f"{round}-again")
        figures.landed += again["unchanged"]
        figures.faults.update(faults(_kept(http), ledger))


def _kept(http: httpx2.Client) -> list[tuple[str, str, str, int, float | None]]:
    found = []
    for user in _USERS:
        answer = http.get(f"/api/v1/users/{user}/export")
        answer.raise_for_status()
        found += [
            (user, one["item_id"], one["type"], one["time"], one["value"])
            for one in answer.json()["feedback"]
        ]
    return found


def damage(place: str) -> int:
    """How many findings the database's own check has: SQLite's integrity_check, PostgreSQL's amcheck."""
    return _damaged_server(place) if place.startswith("postgresql:") else _damaged_file(place)


def _damaged_file(place: str) -> int:
    with closing(sqlite3.connect(f"file:{place}?mode=ro", uri=True)) as file:
        try:
            found = [row for (row,) in file.execute("PRAGMA integrity_check") if row != "ok"]
            return len(found) + len(file.execute("PRAGMA foreign_key_check").fetchall())
        except sqlite3.DatabaseError:  # so broken that it cannot be checked
            return 1


def _damaged_server(place: str) -> int:
    import psycopg

    tables = "relkind = 'r' AND relnamespace = 'public'::regnamespace"
    indexes = f"SELECT indexrelid FROM pg_index JOIN pg_class ON pg_class.oid = indrelid WHERE {tables}"
    rows = f"SELECT count(*) FROM pg_class, verify_heapam(pg_class.oid) WHERE {tables}"
    with psycopg.connect(place, autocommit=True) as server:
        server.execute("CREATE EXTENSION IF NOT EXISTS amcheck")
        broken = 0
        for (index,) in server.execute(indexes).fetchall():
            try:
                server.execute("SELECT bt_index_check(%s, true)", [index])
            except psycopg.Error as problem:
                print(problem)
                broken += 1
        found = server.execute(rows).fetchone()
    return broken + int(found[0] if found else 1)


@contextmanager
def _server(place: str, folder: Path, figures: KillFigures) -> Iterator[tuple[BaseProcess, str]]:
    """A server of the sample films; it is dead at the end."""
    log, start = folder / "log", time.monotonic()
    log.unlink(missing_ok=True)
    process = started(place, folder / "runs", log)
    try:
        address = listening(log, process.is_alive)
        httpx2.get(f"{address}/api/health/ready", timeout=60, trust_env=False).raise_for_status()
        figures.starts.append(time.monotonic() - start)
        yield process, address
    finally:
        process.kill()
        process.join()


def _shown(figures: KillFigures) -> str:
    wrong = ", ".join(f"{count} {what}" for what, count in figures.faults.items() if count) or "nothing wrong"
    return f"{figures.acknowledged:,} entries acknowledged, {wrong}; started in {figures.starts[-1]:.1f} s"


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.kill_serve",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--kills", type=int, default=50, help="of each database, 50")
    parser.add_argument("--database", choices=DATABASES, help="one of them only")
    given = parser.parse_args()
    start, rows, wrong = time.monotonic(), [HEAD], False

    def show(line: str) -> None:
        print(f"{time.monotonic() - start:5.0f} s  {line}", flush=True)

    for name in (given.database,) if given.database else DATABASES:
        show(name)
        with made(name) as (place, folder):
            figures = run(place, given.kills, folder, show)
        rows.append(figures.row(name))
        wrong = wrong or any(figures.faults.values())
    print("\n" + "\n".join(rows))
    sys.exit(int(wrong))


@contextmanager
def made(name: str) -> Iterator[tuple[str, Path]]:
    """An empty database of this kind, and a folder; both are gone at the end."""
    with tempfile.TemporaryDirectory(prefix="rectune-kill-") as folder:
        if name == "sqlite":
            yield str(Path(folder) / "service.sqlite"), Path(folder)
            return
        from tests.serving.store.postgres_server import running

        with running() as server:
            yield server.make("killed"), Path(folder)


if __name__ == "__main__":
    main()
