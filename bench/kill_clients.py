"""Clients of `bench.kill_serve`: they send feedback until their server is gone, and log what it took."""

from __future__ import annotations

import json
import os
import random
import threading
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2

TYPES = ("seen", "like", "dislike", "click", "hide")
_TIMEOUT = 60.0  # seconds without a byte
_MOST = 4  # entries of one request
_START = 1_700_000_000_000  # milliseconds since 1970; every entry has a time of its own


@dataclass(frozen=True)
class Write:
    """One request's feedback, all of one user. No id of an item is used twice, so all can be told apart."""

    user: str
    entries: tuple[tuple[str, str, int], ...]
    """Item, type, time."""

    @property
    def body(self) -> list[dict[str, Any]]:
        """What is sent."""
        return [
            {"user": self.user, "item": item, "type": type, "time": time, "value": time % 7}
            for item, type, time in self.entries
        ]


@dataclass
class Ledger:
    """What clients sent, kept beyond the server's life.

    Attributes:
        folder: of the logs, one a client; a line is on the disk before the client goes on.
        users: who gives feedback; each client writes for all of them.
        acknowledged: writes that were answered with 200.
        open: writes without an answer: they are kept whole, or not at all.
    """

    folder: Path
    users: Sequence[str]
    acknowledged: list[Write] = field(default_factory=list)
    open: list[Write] = field(default_factory=list)
    refused: Counter[int] = field(default_factory=Counter)

    def logged(self) -> list[Write]:
        """What the logs on the disk say was acknowledged."""
        lines = [line for file in sorted(self.folder.glob("*.log")) for line in file.open(encoding="utf-8")]
        told = [json.loads(line) for line in lines]
        return [Write(one["user"], tuple(map(tuple, one["entries"]))) for one in told]


def write_until_killed(
    address: str, keys: Sequence[str], ledger: Ledger, round: int, over: threading.Event
) -> list[threading.Thread]:
    """Start a client a key; each sends one write after the other until `over`, or the server is gone."""
    clients = [
        threading.Thread(target=_Client(address, key, ledger, f"{round}-{number}", over).run, daemon=True)
        for number, key in enumerate(keys)
    ]
    for client in clients:
        client.start()
    return clients


def send_again(address: str, key: str, ledger: Ledger, name: str) -> Counter[str]:
    """Send the open writes once more; how many entries were `added`, and `unchanged` (kept before)."""
    found: Counter[str] = Counter()
    with ExitStack() as stack:
        http = stack.enter_context(_http(address, key))
        log = stack.enter_context((ledger.folder / f"{name}.log").open("a", encoding="utf-8"))
        for write in ledger.open:
            answer = _posted(http, write)
            answer.raise_for_status()
            found.update(answer.json() | {"not_in_catalogue": 0})
            _log(log, write)
            ledger.acknowledged.append(write)
    ledger.open.clear()
    return found


@dataclass
class _Client:
    address: str
    key: str
    ledger: Ledger
    name: str
    over: threading.Event

    def run(self) -> None:
        rng = random.Random(self.name)
        path = self.ledger.folder / f"{self.name}.log"
        with _http(self.address, self.key) as http, path.open("a", encoding="utf-8") as log:
            number = 0
            while not self.over.is_set():
                write = _made_up(rng, self.ledger.users, f"{self.name}-{number}", number)
                number += 1
                try:
                    answer = _posted(http, write)
                except httpx2.HTTPError:
                    self.ledger.open.append(write)
                    return
                if answer.status_code == 200:
                    _log(log, write)
                    self.ledger.acknowledged.append(write)
                else:
                    self.ledger.open.append(write)
                    self.ledger.refused[answer.status_code] += 1
                    self.over.wait(float(answer.headers.get("retry-after", "1")))


def _made_up(rng: random.Random, users: Sequence[str], name: str, number: int) -> Write:
    count = rng.randint(1, _MOST)
    entries = tuple(
        (f"{name}-{part}", rng.choice(TYPES), _START + number * _MOST + part) for part in range(count)
    )
    return Write(rng.choice(users), entries)


def _posted(http: httpx2.Client, write: Write) -> httpx2.Response:
    return http.post("/api/v1/feedback", json=write.body)


def _http(address: str, key: str) -> httpx2.Client:
    return httpx2.Client(base_url=address, headers={"X-API-Key": key}, timeout=_TIMEOUT, trust_env=False)


def _log(log: Any, write: Write) -> None:
    log.write(json.dumps({"user": write.user, "entries": write.entries}) + "\n")
    log.flush()
    os.fsync(log.fileno())


def faults(kept: Iterable[tuple[str, str, str, int, float | None]], ledger: Ledger) -> dict[str, int]:
    """What is wrong with the feedback that a server has kept.

    Args:
        kept: user, item, type, time and value of each entry.
        ledger: what was sent.

    Returns:
        Entries: `lost`, acknowledged and not there (or another than was sent); `doubled`, there more than
        once; `torn`, of writes that are there in part; `unknown`, sent by nobody.
    """
    found = Counter(kept)
    sent = {entry for write in (*ledger.acknowledged, *ledger.open) for entry in _entries(write)}
    lost = sum(entry not in found for write in ledger.acknowledged for entry in _entries(write))
    parts = [[entry in found for entry in _entries(write)] for write in ledger.open]
    by_key = Counter[tuple[str, str, str]]()
    for (user, item, type, *_), count in found.items():
        by_key[user, item, type] += count
    return {
        "lost": lost,
        "doubled": sum(count - 1 for count in by_key.values()),
        "torn": sum(sum(part) for part in parts if any(part) and not all(part)),
        "unknown": sum(count for entry, count in found.items() if entry not in sent),
    }


def _entries(write: Write) -> list[tuple[str, str, str, int, float | None]]:
    return [(write.user, item, type, time, float(time % 7)) for item, type, time in write.entries]


def wait_for(threads: Iterable[threading.Thread], seconds: float) -> None:
    """Wait until clients have ended.

    Raises:
        TimeoutError: one hangs.
    """
    until = time.monotonic() + seconds
    for one in threads:
        one.join(max(0.0, until - time.monotonic()))
        if one.is_alive():
            raise TimeoutError("a client hangs although its server is gone")
