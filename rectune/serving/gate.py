"""What every request passes first: hosts, origins, keys, how often; and how long it took, at the end.

Pure ASGI: a middleware that reads responses would hide from a stream that its client has gone.
"""

from __future__ import annotations

import re
import time
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

from anyio.to_thread import run_sync
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from rectune.serving.config import ServerConfig, is_loopback
from rectune.serving.limits import RateLimit
from rectune.serving.metrics import Metrics
from rectune.serving.problems import LOG, Problem, log_fault, of_status, problem_of
from rectune.serving.store import api_keys
from rectune.serving.store.database import Database
from rectune.serving.web.problem_page import is_page, told
from rectune.serving.web.visitor import visitor_of

# What a key must allow, by the beginning of the path; the first that fits counts.
SCOPES = (
    ("/api/health/", ""),
    ("/api/v1/recommend", "recommend"),
    ("/api/v1/feedback", "feedback"),
    ("/api/v1/items", "items"),
    ("/api/v1/jobs", "items"),
    ("/api/v1/users", "users"),  # but for `_MEMORY`
    ("/api/v1/chats", "chats"),
    # gorse's paths; see `rectune.serving.api.gorse`
    ("/api/recommend", "recommend"),
    ("/api/session/", "recommend"),
    ("/api/feedback", "feedback"),
    ("/api/item", "items"),
    ("/api/user", "users"),
    ("/api/", "admin"),
    ("/v1/", "models"),
    ("/metrics", "admin"),
)
_MEMORY = re.compile(r"/api/v1/users/[^/]+/memory(?:/|$)")
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; base-uri 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}
_ITEMS = ("/api/v1/items", "/api/items")  # where many come at once
_FILES = ("/static/", "/pictures/")  # a page has many of them
_TOO_LARGE = "the body is too large"
_SAFE = ("GET", "HEAD", "OPTIONS")


def scope_of(path: str) -> str:
    """What a key must allow for this path; empty where none is needed."""
    if _MEMORY.match(path):
        return "chats"
    return next((scope for start, scope in SCOPES if path.startswith(start)), "")


class Gate:
    """The middleware.

    Args:
        app: what is behind it.
        config: of the server.
        database: holds the keys.
        metrics: counts.
    """

    def __init__(self, app: ASGIApp, config: ServerConfig, database: Database, metrics: Metrics) -> None:
        self.app, self._config, self._database, self._metrics = app, config, database, metrics
        self._rate = RateLimit(config.limits.requests_per_minute)
        own = () if config.host in ("", "0.0.0.0", "::") else (config.host,)
        self._hosts = {name.casefold() for name in ("localhost", *own, *config.allowed_hosts)}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See ASGI."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        start, status = time.monotonic(), 0

        async def sent(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        try:
            problem = await self._refused(scope)
            if problem:
                await (await told(Request(scope), problem))(scope, receive, sent)
            else:
                await self.app(scope, _bounded(receive, self._most(scope)), sent)
        except Exception as error:
            if status:  # too late for another answer
                log_fault(error)
                raise
            await (await told(Request(scope), problem_of(error)))(scope, receive, sent)
        finally:
            self._count(scope, status or 499, time.monotonic() - start)

    async def _refused(self, scope: Scope) -> Problem | None:
        headers = Headers(scope=scope)
        length, host = headers.get("content-length", "0"), headers.get("host", "")
        if not length.isdecimal() or int(length) > self._most(scope):
            return of_status(413, _TOO_LARGE)
        if not self._known(host):
            return of_status(400, "the header Host names another server")
        if scope["method"] not in _SAFE and not _same_origin(headers, host):
            return of_status(403, "a page of another origin may not do this")
        needed, address = scope_of(scope["path"]), (scope.get("client") or ("", 0))[0]
        problem = None
        if needed:
            client, problem = await run_sync(self._client, _key_of(headers), needed, address)
        elif is_page(scope["path"]) and not scope["path"].startswith(_FILES):
            client = await run_sync(self._visitor, Request(scope), address)
        else:
            return None
        try:
            self._rate.take(client)
        except Exception as error:
            return problem_of(error)
        return problem

    def _most(self, scope: Scope) -> int:
        """The most bytes of a body."""
        limits = self._config.limits
        return limits.items_bytes if scope["path"] in _ITEMS else limits.body_bytes

    def _known(self, host: str) -> bool:
        """Whether the header names this server: an address, or a name that is expected."""
        try:
            name = (urlsplit(f"//{host}").hostname or "").casefold()
        except ValueError:
            return False
        try:
            return bool(ip_address(name))
        except ValueError:
            return name in self._hosts

    def _client(self, key: str, needed: str, address: str) -> tuple[str, Problem | None]:
        """Who asks, and why they may not."""
        with self._database.reading() as session:
            if not self._needs_key(api_keys.any_made(session)):
                return f"address {address}", None  # a key that is sent all the same is not looked at
            row = api_keys.verify(session, key) if key else None
            if row is None:
                says = "this API key is not right" if key else "an API key is needed: X-API-Key, or Bearer"
                return f"address {address}", of_status(401, says, **{"WWW-Authenticate": "Bearer"})
            allowed = api_keys.allows(row, needed)
            return f"key {row.id}", None if allowed else of_status(403, f"this key lacks the scope {needed}")

    def _visitor(self, request: Request, address: str) -> str:
        """Who looks at the page."""
        visitor = visitor_of(request)
        return f"user {visitor.user.id}" if visitor else f"address {address}"

    def _needs_key(self, has_keys: bool) -> bool:
        return has_keys or self._config.require_key or not is_loopback(self._config.host)

    def _count(self, scope: Scope, status: int, seconds: float) -> None:
        route: Any = scope.get("route")
        template = getattr(route, "path", "other")  # the path itself may hold the id of a user
        method = scope["method"] if scope["method"] in (*_SAFE, "POST", "PUT", "PATCH", "DELETE") else "other"
        self._metrics.request(method, template, status, seconds)
        LOG.info("%s %s %d %.0f ms", method, template, status, seconds * 1000)


def _bounded(receive: Receive, most: int) -> Receive:
    """The same, which refuses what is longer than it said, or did not say how long it is."""
    got = 0

    async def received() -> Message:
        nonlocal got
        message = await receive()
        got += len(message.get("body", b""))
        if got > most:
            raise HTTPException(413, _TOO_LARGE)
        return message

    return received


def _key_of(headers: Headers) -> str:
    if key := headers.get("x-api-key", ""):
        return key
    scheme, _, key = headers.get("authorization", "").partition(" ")
    return key.strip() if scheme.casefold() == "bearer" else ""


def _same_origin(headers: Headers, host: str) -> bool:
    """Whether an unsafe request is from no browser, or from a page of this server."""
    if site := headers.get("sec-fetch-site", ""):
        return site in ("same-origin", "none")
    origin = headers.get("origin", "")
    return not origin or urlsplit(origin).netloc == host
