"""The parts of `bench.serve` in which the model writes: an idle server, eight clients, overload."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from statistics import median
from typing import Any

from bench.serve_clients import ASK, CHAT, Clients, Reply
from bench.serve_figures import Figure, percentile, ratio
from bench.serve_server import MODEL

_TOGETHER = 8  # clients
_GAIN = 1.4  # tokens a second of eight clients, by those of one
_TOKENS = 48  # of an answer to those who come at once
_LOOK = 0.005  # seconds between looks at the counters
_PATIENCE = 60.0  # seconds that a slot may take to be taken, or to be free again
_EVENTS = ("status", "item", "reason", "reason by the model", "done")
_MOST = {"reason": 3000.0, "done": 5000.0}  # ms until the first checked reason, and until the end


def _question(clients: Clients, n: int) -> dict[str, Any]:
    return {"history": clients.history(), "n": n, "explain": n}


def _conversation(clients: Clients, tokens: int) -> dict[str, Any]:
    asked = f"Tell a story: {clients.query()}."
    return {"model": MODEL, "messages": [{"role": "user", "content": asked}], "max_tokens": tokens}


async def reasons(clients: Clients, streams: int, n: int, alone: int, each: int) -> list[Figure]:
    """Reasons that the model words.

    Args:
        clients: ask.
        streams: answers of `n` items, one after another on an idle server.
        n: items of each, all with reasons.
        alone: answers of one item, and completions, for one client, one after another.
        each: the same for each of eight clients at once.
    """
    await clients.answered(CHAT, _conversation(clients, 1))
    before = await clients.counters()
    figures = [*await _streams(clients, streams, n), *await _together(clients, alone, each)]
    await _settled(clients)
    found = _difference(await clients.counters(), before)
    part, by = "3 reasons", 'rectune_reasons_total{{by="{}"}}'
    sent = found["rectune_engine_prompt_tokens_total"]
    read = found["rectune_engine_evaluated_prompt_tokens_total"]
    return [
        *figures,
        Figure(part, "prompt tokens sent", sent),
        Figure(part, "prompt tokens evaluated", read),
        Figure(part, "prompt tokens, evaluated by sent", ratio(read, sent), most=1),
        Figure(part, "reasons that passed the checks", found.get(by.format("model"), 0)),
        Figure(part, "plain sentences in place of one", found.get(by.format("template"), 0)),
    ]


async def overload(clients: Clients, count: int, slots: int) -> list[Figure]:
    """So many clients who come at once, with one conversation each, to a queue of twice the slots."""
    replies = await asyncio.gather(
        *(clients.post(CHAT, _conversation(clients, _TOKENS)) for _ in range(count))
    )
    statuses = Counter(reply.status for reply in replies)
    part, refused = "4 overload", [reply for reply in replies if reply.status == 503]
    without = sum("retry-after" not in reply.headers for reply in refused)
    return [
        Figure(part, f"{count} clients, {slots} slots, {2 * slots} may wait: 200", statuses[200], least=1),
        Figure(part, "503", len(refused)),
        Figure(part, "neither", count - statuses[200] - len(refused), most=0),
        Figure(part, "503 without Retry-After", without, most=0),
        Figure(part, "longest wait for 200", _longest(replies, 200), "s"),
        Figure(part, "longest wait for 503", _longest(replies, 503), "s"),
    ]


async def leaving(clients: Clients, rounds: int, n: int) -> list[Figure]:
    """How long it takes until the slots of a client who leaves are free, in so many rounds of each kind."""
    kinds: Mapping[str, Callable[[Clients, int], Awaitable[None]]] = {
        "a stream": _leave_stream,
        "a plain request": _leave_request,
    }
    figures = []
    for name, leave in kinds.items():
        times = []
        for _ in range(rounds):
            await _settled(clients)
            await leave(clients, n)
            start = time.perf_counter()
            await _settled(clients)
            times.append(1000 * (time.perf_counter() - start))
        figures.append(Figure("4 overload", f"{name} is left: slots free, longest", max(times), "ms"))
    return figures


async def _streams(clients: Clients, count: int, n: int) -> list[Figure]:
    """Median times to the first event of each kind."""
    times: dict[str, list[float]] = {name: [] for name in _EVENTS}
    for _ in range(count):
        await _settled(clients)
        for name, seconds in (await _first_events(clients, n)).items():
            times[name].append(seconds)
    return [
        Figure(
            "3 reasons",
            f"n = {n}, first {name}: median of {len(some)} of {count}",
            1000 * median(some) if some else None,
            "ms",
            _MOST.get(name),
        )
        for name, some in times.items()
    ]


async def _first_events(clients: Clients, n: int) -> dict[str, float]:
    found: dict[str, float] = {}
    start = time.perf_counter()
    async with clients.stream(_question(clients, n)) as events:
        async for name, told in events:
            seconds = time.perf_counter() - start
            if name == "error":
                raise SystemExit(f"a stream ended with an error: {told}")
            found.setdefault(name, seconds)
            if name == "reason" and told["reasons_by"] == "model":
                found.setdefault("reason by the model", seconds)
    return found


async def _together(clients: Clients, alone: int, each: int) -> list[Figure]:
    """Eight clients at once against one: answers with a reason, whose time is limited, and tokens of chat
    completions, which are written to their end.
    """
    part, figures = "3 reasons", list[Figure]()
    for what, count in (("answers with a reason", _answers), ("tokens of completions", _tokens)):
        await _settled(clients)
        one, eight = await count(clients, 1, alone), await count(clients, _TOGETHER, each)
        figures += [
            Figure(part, f"one client, {what} a second", one),
            Figure(part, f"{_TOGETHER} clients, {what} a second", eight),
            Figure(part, f"{what} a second, {_TOGETHER} clients by one", ratio(eight, one), least=_GAIN),
        ]
    return figures


async def _answers(clients: Clients, count: int, each: int) -> float:
    return count * each / await _seconds(clients, count, each, ASK, lambda: _question(clients, 1))


async def _tokens(clients: Clients, count: int, each: int) -> float:
    before = await clients.counters()
    seconds = await _seconds(clients, count, each, CHAT, lambda: _conversation(clients, _TOKENS))
    return _difference(await clients.counters(), before)["rectune_engine_tokens_total"] / seconds


async def _seconds(
    clients: Clients, count: int, each: int, path: str, question: Callable[[], dict[str, Any]]
) -> float:
    """Until so many clients at once have each got so many answers, one after another."""

    async def ask() -> None:
        for _ in range(each):
            await clients.answered(path, question())

    start = time.perf_counter()
    await asyncio.gather(*(ask() for _ in range(count)))
    return time.perf_counter() - start


async def _leave_stream(clients: Clients, n: int) -> None:
    async with clients.stream(_question(clients, n)) as events:
        async for name, _ in events:
            if name == "item":
                break
        await _taken(clients)


async def _leave_request(clients: Clients, n: int) -> None:
    asking = asyncio.create_task(clients.post(ASK, _question(clients, n)))
    try:
        await _taken(clients)
    finally:
        asking.cancel()
        await asyncio.wait([asking])


async def _taken(clients: Clients) -> None:
    await _until(clients, lambda state: state["rectune_engine_active"] > 0)


async def _settled(clients: Clients) -> None:
    """Wait until the model has nothing to do."""
    await _until(
        clients, lambda state: not state["rectune_engine_active"] and not state["rectune_engine_queue"]
    )


async def _until(clients: Clients, reached: Callable[[Mapping[str, float]], bool]) -> None:
    end = time.monotonic() + _PATIENCE
    while not reached(await clients.counters()):
        if time.monotonic() > end:
            raise SystemExit(f"the model's slots did not change within {_PATIENCE:.0f} s")
        await asyncio.sleep(_LOOK)


def _difference(now: Mapping[str, float], before: Mapping[str, float]) -> dict[str, float]:
    return {name: value - before.get(name, 0) for name, value in now.items()}


def _longest(replies: list[Reply], status: int) -> float | None:
    return percentile([reply.seconds for reply in replies if reply.status == status], 100)
