"""A real `rectune serve` over made-up items for `bench.serve`: catalogue, keys, process, counters."""

from __future__ import annotations

import json
import random
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

_START, _END = 900.0, 45.0  # seconds that the server may take to listen, and to end
MODEL = "unchecked"  # its name
_CATEGORIES = (
    "Drama Comedy Thriller Romance Adventure Mystery History Music Sport War Crime Fantasy Family Western "
    "Science Travel Nature Politics Food Art"
).split()
_ADJECTIVES = (
    "quiet golden broken distant hidden silver burning frozen gentle hollow iron lonely narrow open patient "
    "restless sacred secret shallow sleeping small stolen strange sudden tender vast velvet weary wild"
).split()
_NOUNS = (
    "anchor bridge candle canyon castle cellar circus clock cloud coast comet desert engine field forest "
    "garden glacier harbour hill hotel island kitchen ladder lantern library market meadow mirror moon "
    "mountain ocean orchard palace piano planet queen railway river sailor school shadow shore signal "
    "spider station storm summer theatre tower train valley village violin voyage window winter wolf"
).split()


@dataclass(frozen=True)
class MadeUpItem:
    """An item of the catalogue; `price` is a fact."""

    item_id: str
    title: str
    categories: Sequence[str]
    description: str
    year: int
    price: int


@dataclass(frozen=True)
class Server:
    """A server that listens.

    Attributes:
        address: of HTTP.
        process: ends with the context of `running`.
        keys: each allows everything; there are several since a key has a limit of requests a minute.
        items: of its catalogue.
    """

    address: str
    process: subprocess.Popen[bytes]
    keys: Sequence[str]
    items: Sequence[MadeUpItem]

    def memory(self) -> float:
        """Resident memory in MiB."""
        import psutil

        return float(psutil.Process(self.process.pid).memory_info().rss) / 2**20


def made_up_items(count: int, seed: int) -> list[MadeUpItem]:
    """So many items with different titles; the same for the same seed."""
    rng = random.Random(seed)
    every = len(_ADJECTIVES) * len(_NOUNS) ** 2
    return [_item(number, code, rng) for number, code in enumerate(rng.sample(range(every), count))]


def _item(number: int, code: int, rng: random.Random) -> MadeUpItem:
    rest, last = divmod(code, len(_NOUNS))
    adjective, noun = divmod(rest, len(_NOUNS))
    words = rng.sample(_NOUNS, 3)
    return MadeUpItem(
        f"i{number}",
        f"The {_ADJECTIVES[adjective].title()} {_NOUNS[noun].title()} of the {_NOUNS[last].title()}",
        sorted(rng.sample(_CATEGORIES, rng.randint(1, 3))),
        f"A {rng.choice(_ADJECTIVES)} {words[0]}, a {rng.choice(_ADJECTIVES)} {words[1]} and a {words[2]}.",
        rng.randint(1950, 2024),
        rng.randint(5, 99),
    )


@contextmanager
def running(
    items: Sequence[MadeUpItem], slots: int, keys: int, folder: Path, environment: Mapping[str, str]
) -> Iterator[Server]:
    """A server in a process of its own on a free port of 127.0.0.1; it is ended at the end.

    Args:
        items: of its catalogue.
        slots: answers that its model writes together; twice as many may wait.
        keys: how many.
        folder: empty; holds all that it keeps.
        environment: of the process; caches and temporary files go into the folder.

    Raises:
        SystemExit: it did not come to listen.
    """
    catalogue, database, log = folder / "items.jsonl", folder / "service.sqlite", folder / "log"
    catalogue.write_text("".join(json.dumps(vars(one)) + "\n" for one in items), encoding="utf-8")
    command = [
        *(sys.executable, "-m", "rectune.cli.main", "serve", "--catalogue", str(catalogue)),
        *("--domain", "movies", "--facts", "price", "--database", str(database), "--port", "0"),
        *("--runs", str(folder / "runs"), "--model", str(unchecked_model(folder)), "--slots", str(slots)),
    ]
    made = _keys(database, keys)
    with log.open("wb") as written:
        process = subprocess.Popen(
            command,
            cwd=Path(__file__).parents[1],
            stdin=subprocess.DEVNULL,
            stdout=written,
            stderr=written,
            env={**environment, "XDG_CACHE_HOME": str(folder / "cache"), "TMPDIR": str(folder)},
        )
    try:
        yield Server(listening(log, lambda: process.poll() is None), process, made, items)
    finally:
        process.terminate()
        try:
            process.wait(_END)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def unchecked_model(folder: Path) -> Path:
    """A copy of the embedded model that `rectune doctor --model` was never asked about.

    With the embedded model itself plain sentences give all reasons, since the verdict that comes with the
    package trusts it with no language. A model without a verdict is used, and each of its reasons is still
    checked (docs/recommending.md, "Which model for which language"). A byte after the last tensor gives the
    copy a digest without a verdict; its weights are the same.
    """
    from rectune.models.reference import gguf_file

    copy = folder / f"{MODEL}.gguf"
    shutil.copyfile(gguf_file("embedded"), copy)
    with copy.open("ab") as file:
        file.write(b"\0")
    return copy


def counters(text: str) -> dict[str, float]:
    """What `/metrics` says: name with labels -> value."""
    lines = (line.rpartition(" ") for line in text.splitlines() if line and not line.startswith("#"))
    return {name: float(value) for name, _, value in lines}


def _keys(database: Path, count: int) -> list[str]:
    from rectune.serving.store import api_keys
    from rectune.serving.store.database import open_database

    with open_database(str(database)) as store, store.writing() as session:
        return [api_keys.create(session, f"client-{number}", api_keys.SCOPES) for number in range(count)]


def listening(log: Path, alive: Callable[[], bool]) -> str:
    """The address of HTTP, once the server says in its log that it listens.

    Raises:
        SystemExit: it ended, or took too long.
    """
    end = time.monotonic() + _START
    while time.monotonic() < end and alive():
        said = log.read_text("utf-8", errors="replace") if log.exists() else ""
        if found := re.search(r"^listening on (\S+)$", said, re.MULTILINE):
            return found[1]
        time.sleep(0.05)
    raise SystemExit(f"the server does not listen:\n{log.read_text('utf-8', errors='replace')[-5000:]}")
