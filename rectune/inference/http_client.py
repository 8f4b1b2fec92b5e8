"""The HTTP client under the OpenAI SDK: authentication, rate limits, and errors that no retry can fix."""

from __future__ import annotations

import asyncio
import os
from contextlib import aclosing
from typing import Any

import httpx2
from openai import AsyncOpenAI

from rectune.core.errors import UserError, first_line
from rectune.core.settings import RemoteConfig
from rectune.core.text.plain import cut_line
from rectune.inference.openai_protocol import complaint, completion
from rectune.inference.rate_limit import RateLimiter, retry_after

KEPT = "finished answers are kept; run it again when the server answers"
_KEYS = ("RECTUNE_API_KEY", "OPENAI_API_KEY")
_HEADERS = ("host", "accept", "accept-encoding", "content-type", "content-length")  # that are sent
_CONNECT = 10.0  # seconds until a connection must stand
_LARGEST = 2**23  # bytes of a reply
_LONGEST_WAIT = 900.0  # seconds that a server may ask us to wait
_QUOTE = 200  # characters of a server's words that are repeated
_PASSING = (408, 409, 425, 429)  # and 5xx: refusals that may pass
_HERE = ("localhost", "127.0.0.1", "::1")


class ApiKey:
    """The API key from the environment; only `headers` contains it."""

    __slots__ = ("_value",)

    def __init__(self) -> None:
        found = ((name, os.environ.get(name, "").strip()) for name in _KEYS)
        name, self._value = next(((name, value) for name, value in found if value), ("", ""))
        if not all("!" <= sign <= "~" for sign in self._value):
            # An HTTP library would complain about it by repeating it.
            raise UserError(
                "has characters that no key has", where=f"environment variable {name}", hint="set it again"
            )

    def headers(self) -> dict[str, str]:
        """The header that carries it; none if there is no key."""
        return {"Authorization": f"Bearer {self._value}"} if self._value else {}

    def hide(self, words: str) -> str:
        """A server's message on one line, with the key removed if the message repeats it."""
        return cut_line(words.replace(self._value, "***") if self._value else words, _QUOTE)


class HttpClient(httpx2.AsyncClient):
    """Sends the SDK's requests with rate limit, key and time-out; belongs to one event loop.

    Temporary failures are raised as a broken connection, so that the SDK tries again. A wait that the server
    asks for holds all requests back; the SDK would give up beyond two minutes.
    """

    def __init__(self, address: str, key: ApiKey, settings: RemoteConfig) -> None:
        super().__init__(
            timeout=httpx2.Timeout(settings.timeout, connect=min(_CONNECT, settings.timeout)),
            limits=httpx2.Limits(max_connections=settings.concurrency),
            follow_redirects=False,  # following would hand the key to whoever is there
            # A proxy to the world outside is of no use on the way to this machine.
            trust_env=httpx2.URL(address).host not in _HERE,
        )
        self._address, self._key, self._seconds = address, key, settings.timeout
        self._rate = RateLimiter(settings.requests_per_minute)
        self._met = False  # whether the server has said anything yet

    async def send(self, request: httpx2.Request, **_: Any) -> httpx2.Response:
        """One try.

        Raises:
            httpx2.RequestError: this try failed, with a message for people; another may succeed.
            UserError: no retry can succeed.
        """
        # The SDK adds headers of its own, and some out of the environment that are meant for OpenAI alone.
        kept = {name: request.headers[name] for name in _HEADERS if name in request.headers}
        request.headers = httpx2.Headers(kept | self._key.headers())
        await self._rate.turn()
        try:
            async with asyncio.timeout(self._seconds):
                response = await super().send(request, stream=True)
                content = await _content(response)
        except (httpx2.ConnectError, httpx2.ConnectTimeout) as problem:
            words = f"no server answers there ({first_line(problem)})"
            if not self._met:
                raise UserError(words, where=self._address, hint=KEPT) from None
            raise httpx2.ConnectError(words) from None
        except (TimeoutError, httpx2.TimeoutException):
            raise httpx2.ReadTimeout(f"the server did not answer within {self._seconds:g} s") from None
        except httpx2.RequestError as problem:
            raise httpx2.ReadError(f"the connection broke ({first_line(problem)})") from None
        self._met = True
        self._judge(response, complaint(content) if response.status_code >= 400 else "")
        if request.method == "POST" and response.is_success:
            completion(content)  # see that there is an answer in it
        kept = {"server": response.headers.get("server", "")}
        return httpx2.Response(response.status_code, headers=kept, content=content, request=request)

    def _judge(self, response: httpx2.Response, words: str) -> None:
        """Let successes pass, and refusals that the caller handles."""
        status, found = response.status_code, ""
        wait = retry_after(response.headers.get("retry-after", "")) if status in (429, 503) else 0.0
        if 300 <= status < 400:
            found = f"the server sends us to {self._key.hide(response.headers.get('location', 'nowhere'))}"
            hint = "give that address if it is right"
        elif status == 401:
            found, hint = "the server refuses the key, or wants one", f"set {' or '.join(_KEYS)}"
        elif status == 429 and "insufficient_quota" in words:
            found, hint = "the account's quota is used up", KEPT
        elif wait > _LONGEST_WAIT:
            found, hint = f"the server wants {wait / 60:.0f} minutes of rest", KEPT
        if found:
            raise UserError(found, where=self._address, hint=hint)
        self._rate.hold(wait)
        if status in _PASSING or status >= 500:
            raise httpx2.ReadError(f"the server refuses it for now ({status}): {words}")


def open_client(address: str, key: ApiKey, settings: RemoteConfig) -> AsyncOpenAI:
    """The SDK's client for a server, its pauses and retries; an asynchronous context manager."""
    return AsyncOpenAI(
        base_url=address,
        api_key="sent by the HTTP client",  # the SDK has none of its own to show
        max_retries=settings.retries,
        http_client=HttpClient(address, key, settings),
    )


def checked(address: str) -> str:
    """The address in normal form: host in lower case, no default port, no slash at the end.

    Raises:
        UserError: it is no address, or has more than host, port and path.
    """
    try:
        url = httpx2.URL(address.strip())
    except (httpx2.InvalidURL, ValueError):
        url = httpx2.URL("")
    hint = "write it as http://localhost:8000/v1"
    if url.scheme not in ("http", "https") or not url.host:
        raise UserError("a teacher's server is no http or https address", hint=hint)
    plain = str(url.copy_with(userinfo=b"", query=None, fragment=None)).rstrip("/")
    if url.userinfo or url.query or url.fragment:
        found = "the address of a server holds a name, a password, a query or a fragment"
        raise UserError(found, where=plain, hint=f"{hint}; a key belongs in the environment ({_KEYS[0]})")
    return plain


async def _content(response: httpx2.Response) -> bytes:
    content = bytearray()
    async with aclosing(response):
        async for piece in response.aiter_bytes():
            content += piece
            if len(content) > _LARGEST:
                raise httpx2.ReadError(f"more than {_LARGEST // 2**20} MiB came")
    return bytes(content)
