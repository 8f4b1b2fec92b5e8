"""The parts of `bench.serve` without reasons: one request at a time, and many users at once."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

from bench.serve_clients import ASK, Clients, Reply
from bench.serve_figures import Figure, percentile, percentiles, ratio

_P95 = 50.0  # ms
_GROWTH = 1.05  # of resident memory, from a tenth of the requests to all
_WARM = 3  # requests of each kind that are not counted


async def one_at_a_time(clients: Clients, requests: int) -> list[Figure]:
    """Times of so many requests of each kind, one after another."""
    kinds: dict[str, Callable[[], dict[str, Any]]] = {
        "history": lambda: {"history": clients.history()},
        "query": lambda: {"query": clients.query()},
        "history, where": lambda: {"history": clients.history(), "where": clients.where()},
    }
    figures = []
    for name, body in kinds.items():
        times = []
        for number in range(_WARM + requests):
            reply = await clients.answered(ASK, {**body(), "explain": False})
            if number >= _WARM:
                times.append(reply.milliseconds)
        figures += percentiles("1 ranking", name, times, _P95)
    return figures


async def many_users(clients: Clients, users: int, requests: int) -> list[Figure]:
    """So many users who ask at once, each again as soon as there is an answer, so many requests in all."""
    names = [f"user-{number}" for number in range(users)]
    for name in names:
        await clients.answered("/api/v1/users", {"id": name})
    each = requests // users
    early = max(1, each // 10)
    start = time.perf_counter()
    replies = await _all_ask(clients, names, early)
    middle, before = time.perf_counter(), clients.server.memory()
    replies += await _all_ask(clients, names, each - early)
    seconds, after = time.perf_counter() - start, clients.server.memory()
    statuses = Counter(reply.status for reply in replies)
    wrong = {status: count for status, count in statuses.items() if status != 200}
    told = f" ({', '.join(f'{count} of {status}' for status, count in wrong.items())})" if wrong else ""
    part, well = "2 many users", [reply.milliseconds for reply in replies if reply.status == 200]
    rate = (len(replies) - users * early) / (start + seconds - middle)
    return [
        Figure(part, f"{users} users, answers with 200", statuses[200]),
        Figure(part, f"errors{told}", sum(wrong.values()), most=0),
        Figure(part, "requests a second", rate),
        Figure(part, "p50", percentile(well, 50), "ms"),
        Figure(part, "p95", percentile(well, 95), "ms"),
        Figure(part, f"memory after {users * early:,} requests", before, "MiB"),
        Figure(part, f"memory after {len(replies):,} requests", after, "MiB"),
        Figure(part, "memory, the second by the first", ratio(after, before), most=_GROWTH),
    ]


async def _all_ask(clients: Clients, users: list[str], times: int) -> list[Reply]:
    async def ask(user: str) -> list[Reply]:
        return [
            await clients.post(ASK, {"user": user, "history": clients.history(), "explain": False})
            for _ in range(times)
        ]

    return [reply for some in await asyncio.gather(*map(ask, users)) for reply in some]
