"""The way to a server: its address, the key, one try, and as many tries as are worth it."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from rectune.core.errors import UserError
from rectune.core.settings import Remote
from rectune.inference.completions import Rubbish, complaint, quoted
from rectune.inference.limits import Pace, pause, wanted_wait

if TYPE_CHECKING:
    from httpx2 import AsyncClient, Response

T = TypeVar("T")

_KEYS = ("RECTUNE_API_KEY", "OPENAI_API_KEY")
_CONNECT = 10.0  # seconds until a connection must stand
_LARGEST = 2**23  # bytes of a reply
_LONGEST_WAIT = 900.0  # seconds that a server may ask us to wait
_PASSING = {408, 409, 425, 429}  # and 5xx: refusals that may pass
_HERE = ("localhost", "127.0.0.1", "::1")
_KEPT = "finished answers are kept; run it again when the server is there"


@dataclass(frozen=True, slots=True)
class Reply:
    """What a server sent; `headers` have lower-case names."""

    status: int
    headers: Mapping[str, str]
    content: bytes


class Transient(Exception):
    """Another try may help. `wait`: seconds that the server asked for; `gone`: nobody is at the address."""

    def __init__(self, found: str, wait: float | None = None, gone: bool = False) -> None:
        super().__init__(found)
        self.wait, self.gone = wait, gone


class Failed(Exception):
    """This request will not be answered."""


class Key:
    """The secret out of the environment; it shows itself in `headers` only."""

    __slots__ = ("_value",)

    def __init__(self) -> None:
        found = ((name, os.environ.get(name, "").strip()) for name in _KEYS)
        name, self._value = next(((name, value) for name, value in found if value), ("", ""))
        if not all("!" <= sign <= "~" for sign in self._value):
            # An HTTP library would complain about it by repeating it.
            raise UserError(
                "holds signs that no key has", where=f"environment variable {name}", mend="set it anew"
            )

    def headers(self) -> dict[str, str]:
        """The header that carries it; none if there is no key."""
        return {"Authorization": f"Bearer {self._value}"} if self._value else {}

    def hide(self, words: str) -> str:
        """A server's words for people, without the key should they repeat it."""
        return quoted(words.replace(self._value, "***") if self._value else words)


class Line:
    """The way to the server for one call of a backend; belongs to one event loop. An asynchronous context manager."""

    def __init__(self, address: str, key: Key, settings: Remote) -> None:
        self._address, self._key, self._settings = address, key, settings
        self._client = _client(address, key, settings)
        self._pace = Pace(settings.requests_per_minute)
        self._met = False  # whether the server has said anything yet

    async def __aenter__(self) -> Line:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._client.aclose()

    async def insist(self, once: Callable[[], Awaitable[T]]) -> T:
        """What `once` gives; tried again, later and later, while it raises `Transient` or `Rubbish`.

        Raises:
            Failed: all tries failed.
            UserError: nobody is at the address, at the first contact or after all tries.
        """
        tries = self._settings.retries + 1
        for failures in range(1, tries + 1):
            await self._pace.turn()
            try:
                return await once()
            except Rubbish as found:
                problem = Transient(f"the server sent {found}")
            except Transient as found:
                problem = found
            if problem.gone and (failures == tries or not self._met):
                raise UserError(self._key.hide(str(problem)), where=self._address, mend=_KEPT)
            if failures < tries:
                await self._rest(problem, failures)
        raise Failed(f"{problem} ({tries} tries)" if tries > 1 else str(problem))

    async def _rest(self, problem: Transient, failures: int) -> None:
        if problem.wait is None:
            await asyncio.sleep(pause(failures))
        elif problem.wait > _LONGEST_WAIT:
            found = f"the server wants {problem.wait / 60:.0f} minutes of rest"
            raise UserError(found, where=self._address, mend="finished answers are kept; run it again then")
        else:
            self._pace.hold(problem.wait)
            await asyncio.sleep(pause(1) / 4)  # not all at once

    async def ask(self, method: str, url: str, content: Mapping[str, Any] | None = None) -> Reply:
        """One try; returns successes and the refusals that only the caller understands.

        Raises:
            Transient: no reply, or a refusal that may pass.
            UserError: the key is refused, or the server sends us elsewhere.
        """
        import httpx2

        data = json.dumps(content).encode() if content is not None else None
        limit = self._settings.timeout
        try:
            async with asyncio.timeout(limit):
                kind = {"Content-Type": "application/json"}
                async with self._client.stream(method, url, content=data, headers=kind) as response:
                    reply = Reply(response.status_code, dict(response.headers), await _content(response))
        except (httpx2.ConnectError, httpx2.ConnectTimeout) as problem:
            raise Transient(f"nobody answers there ({problem})", gone=True) from None
        except (TimeoutError, httpx2.TimeoutException):
            raise Transient(f"the server did not answer within {limit:g} s") from None
        except (httpx2.HTTPError, httpx2.InvalidURL) as problem:
            raise Transient(f"the connection broke ({problem or type(problem).__name__})") from None
        self._met = True
        self._judge(reply)
        return reply

    def _judge(self, reply: Reply) -> None:
        if 300 <= reply.status < 400:
            place = self._key.hide(reply.headers.get("location", "nowhere"))
            # Following would hand the key to whoever is there.
            raise UserError(
                f"the server sends us to {place}",
                where=self._address,
                mend="give that address if it is right",
            )
        if reply.status == 401:
            names = " or ".join(_KEYS)
            raise UserError(
                "the server refuses the key, or wants one", where=self._address, mend=f"set {names}"
            )
        words = complaint(reply.content) if reply.status >= 400 else ""
        if reply.status == 429 and "insufficient_quota" in words:
            raise UserError("the account's quota is used up", where=self._address, mend=_KEPT)
        if reply.status in _PASSING or reply.status >= 500:
            wait = wanted_wait(reply.headers) if reply.status in (429, 503) else None
            raise Transient(f"the server refuses it for now ({reply.status}): {words}", wait)


def checked(address: str) -> str:
    """The address in one spelling: host in lower case, no default port, no slash at the end.

    Raises:
        UserError: it is no address, or holds more than host, port and path.
    """
    import httpx2

    try:
        url = httpx2.URL(address.strip())
    except (httpx2.InvalidURL, ValueError):
        url = httpx2.URL("")
    mend = "write it as http://localhost:8000/v1"
    if url.scheme not in ("http", "https") or not url.host:
        raise UserError("a teacher's server is no http or https address", mend=mend)
    plain = str(url.copy_with(userinfo=b"", query=None, fragment=None)).rstrip("/")
    if url.userinfo or url.query or url.fragment:
        found = "the address of a server holds a name, a password, a query or a fragment"
        raise UserError(found, where=plain, mend=f"{mend}; a key belongs in the environment ({_KEYS[0]})")
    return plain


def _client(address: str, key: Key, settings: Remote) -> AsyncClient:
    import httpx2

    return httpx2.AsyncClient(
        headers=key.headers(),
        timeout=httpx2.Timeout(settings.timeout, connect=min(_CONNECT, settings.timeout)),
        limits=httpx2.Limits(max_connections=settings.concurrency),
        follow_redirects=False,
        # A proxy to the world outside is of no use on the way to this machine.
        trust_env=httpx2.URL(address).host not in _HERE,
    )


async def _content(response: Response) -> bytes:
    content = bytearray()
    async for piece in response.aiter_bytes():
        content += piece
        if len(content) > _LARGEST:
            raise Transient(f"the server sent more than {_LARGEST // 2**20} MiB")
    return bytes(content)
