"""Clients of `bench.serve`: what they ask, what they get, how long it took."""

from __future__ import annotations

import itertools
import json
import random
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx2

from bench.serve_server import Server, counters

ASK, CHAT = "/api/v1/recommend", "/v1/chat/completions"
_HISTORY = 5  # items
_TIMEOUT = 180.0  # seconds without a byte; an answer of the model is ended after 120
_STREAM = {"Accept": "text/event-stream"}


@dataclass(frozen=True)
class Reply:
    """An answer: its status, headers, content and the seconds until it was there whole.

    `status` is the name of the error where there was no answer.
    """

    status: int | str
    seconds: float
    headers: httpx2.Headers = field(default_factory=httpx2.Headers)
    body: Any = None

    @property
    def milliseconds(self) -> float:
        """How long it took."""
        return 1000 * self.seconds


@dataclass
class Clients:
    """Clients of one server; each request takes the next key.

    Attributes:
        http: connects.
        server: is asked.
        rng: makes up what is asked.
    """

    http: httpx2.AsyncClient
    server: Server
    rng: random.Random
    _keys: itertools.cycle[str] = field(init=False)

    def __post_init__(self) -> None:
        self._keys = itertools.cycle(self.server.keys)

    def history(self) -> list[str]:
        """Ids of five items."""
        return [one.item_id for one in self.rng.sample(self.server.items, _HISTORY)]

    def query(self) -> str:
        """What an item is about, in words."""
        one = self.rng.choice(self.server.items)
        return f"a {one.categories[0].lower()} about {one.title.removeprefix('The ').lower()}"

    def where(self) -> dict[str, Any]:
        """Ranges of a year and of a fact; many items meet both."""
        year, price = self.rng.randint(1950, 1985), self.rng.randint(40, 60)
        return {"year": {"gte": year, "lte": year + 39}, "price": {"lte": price}}

    async def post(self, path: str, body: dict[str, Any]) -> Reply:
        """Ask; an error of the connection is a reply too."""
        start = time.perf_counter()
        try:
            answer = await self.http.post(path, json=body, headers=self._key())
        except httpx2.HTTPError as error:
            return Reply(type(error).__name__, time.perf_counter() - start)
        seconds = time.perf_counter() - start
        return Reply(answer.status_code, seconds, answer.headers, answer.json())

    async def answered(self, path: str, body: dict[str, Any]) -> Reply:
        """Ask for what has to succeed.

        Raises:
            SystemExit: it did not.
        """
        reply = await self.post(path, body)
        if reply.status not in (200, 201):
            raise SystemExit(f"{path} answered {reply.status}: {reply.body}")
        return reply

    @asynccontextmanager
    async def stream(self, body: dict[str, Any]) -> AsyncIterator[AsyncIterator[tuple[str, Any]]]:
        """The events of an answer: names and what they say. Whoever leaves closes the connection.

        Raises:
            SystemExit: there is no stream.
        """
        async with self.http.stream("POST", ASK, json=body, headers=self._key() | _STREAM) as response:
            if response.status_code != 200:
                raise SystemExit(f"a stream answered {response.status_code}: {await response.aread()!r}")
            yield _events(response)

    async def counters(self) -> dict[str, float]:
        """What `/metrics` says now."""
        answer = await self.http.get("/metrics", headers=self._key())
        answer.raise_for_status()
        return counters(answer.text)

    def _key(self) -> dict[str, str]:
        return {"X-API-Key": next(self._keys)}


@asynccontextmanager
async def clients(server: Server, connections: int, seed: int) -> AsyncIterator[Clients]:
    """Clients with so many connections at most."""
    limits = httpx2.Limits(max_connections=connections, max_keepalive_connections=connections)
    async with httpx2.AsyncClient(
        base_url=server.address, limits=limits, timeout=_TIMEOUT, trust_env=False
    ) as http:
        yield Clients(http, server, random.Random(seed))


async def _events(response: httpx2.Response) -> AsyncIterator[tuple[str, Any]]:
    name = ""
    async for line in response.aiter_lines():
        if line.startswith("event: "):
            name = line.removeprefix("event: ")
        elif line.startswith("data: "):
            yield name, json.loads(line.removeprefix("data: "))
