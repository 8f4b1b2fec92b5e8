"""`make bench-serve`: the service as its users meet it, over HTTP.

A real `rectune serve` is started on a free port of 127.0.0.1, with a temporary store and made-up items; the
clients are in this process. Measured are times of ranking without reasons, many users at once and the memory
that they leave behind, reasons that the model words, and what happens to those for whom there is no room.
The queue is filled by chat completions of 48 tokens, which bounds how long that takes.

The model is a copy of the embedded one that was never asked what it can be trusted with, so that it writes
and its reasons are checked (`bench.serve_server.unchecked_model`). Most of them are rejected and asked for
again, until their time is over and plain sentences stand: it is the most that reasons can cost.

Requests take turns with many API keys, since each has a limit a minute. Clients and server share the cores of
the machine, so ratios and counts say more than times. `--quick` is a tenth of the load.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from bench.serve_clients import clients
from bench.serve_figures import Figure, table
from bench.serve_model import leaving, overload, reasons
from bench.serve_ranking import many_users, one_at_a_time
from bench.serve_server import Server, made_up_items, running

_SEED = 7


@dataclass(frozen=True)
class Load:
    """How much is asked.

    Attributes:
        items: of the catalogue.
        ranked: requests of each kind, one at a time.
        users: who ask at once.
        requests: of all of them.
        streams: with reasons on an idle server, one after another.
        explained: items of each of these streams.
        alone: answers for one client, one after another.
        each: answers for each of eight clients at once.
        clients: who come at once to a full queue.
        left: rounds of leaving, of each kind.
        slots: answers that the model writes together.
    """

    items: int = 10_000
    ranked: int = 300
    users: int = 100
    requests: int = 5000
    streams: int = 5
    explained: int = 5
    alone: int = 20
    each: int = 10
    clients: int = 50
    left: int = 5
    slots: int = 4


QUICK = Load(1000, 30, 10, 500, 1, 5, 1, 1, 20, 1)


async def measure(server: Server, load: Load, show: Callable[[str], None]) -> AsyncIterator[list[Figure]]:
    """The figures of each part, as it ends."""
    connections = max(load.users, load.clients) + 2
    async with clients(server, connections, _SEED) as all_of_them:
        show("1 ranking: one request at a time")
        yield await one_at_a_time(all_of_them, load.ranked)
        show(f"2 many users: {load.users} at once")
        yield await many_users(all_of_them, load.users, load.requests)
        show("3 reasons: worded by the model")
        yield await reasons(all_of_them, load.streams, load.explained, load.alone, load.each)
        show(f"4 overload: {load.clients} clients at once")
        yield await overload(all_of_them, load.clients, load.slots)
        yield await leaving(all_of_them, load.left, load.explained)


def run(load: Load, environment: dict[str, str], show: Callable[[str], None] = print) -> list[Figure]:
    """All figures; the server and its store are gone afterwards.

    Args:
        load: how much is asked.
        environment: of the server.
        show: hears what is measured now.
    """
    figures = list[Figure]()

    async def collect(server: Server) -> None:
        async for some in measure(server, load, show):
            figures.extend(some)

    items = made_up_items(load.items, _SEED)
    keys = max(load.users, load.requests // 100)
    with tempfile.TemporaryDirectory() as folder:
        show(f"a server of {load.items:,} items")
        with running(items, load.slots, keys, Path(folder), environment) as server:
            asyncio.run(collect(server))
    return figures


def record(load: Load, figures: list[Figure]) -> dict[str, Any]:
    """All of it for JSON."""
    machine = {"cores": os.cpu_count(), "system": platform.platform(), "python": platform.python_version()}
    return {"machine": machine, "load": asdict(load), "figures": [one.record() for one in figures]}


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.serve",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--quick", action="store_true", help="a tenth of the load")
    parser.add_argument("--items", type=int, help="of the catalogue, 10 at least")
    parser.add_argument("--json", type=Path, help="a file for the figures")
    given = parser.parse_args()
    load = QUICK if given.quick else Load()
    if given.items is not None:
        if given.items < 10:
            parser.error("--items: at least 10")
        load = replace(load, items=given.items)
    environment, start = dict(os.environ), time.monotonic()
    os.environ["OMP_NUM_THREADS"] = "1"  # of the clients; the server decides for itself

    def show(line: str) -> None:
        print(f"{time.monotonic() - start:5.0f} s  {line}", flush=True)

    figures = run(load, environment, show)
    show("the end")
    print(f"\n{table(figures).to_markdown()}")
    if given.json:
        given.json.write_text(json.dumps(record(load, figures), indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
