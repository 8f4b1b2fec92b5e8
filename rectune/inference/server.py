"""The backend for OpenAI-compatible servers: many requests in flight, retried until answered or failed."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from concurrent.futures import Future
from contextlib import asynccontextmanager
from dataclasses import replace
from queue import SimpleQueue
from typing import Any, TypeVar

import httpx2
import openai
from anyio.from_thread import start_blocking_portal

from rectune.core.errors import UserError
from rectune.core.progress import say
from rectune.core.settings import RemoteConfig, SamplingConfig
from rectune.core.types import Provenance, content_id
from rectune.inference.backends import Backend
from rectune.inference.http_client import KEPT, ApiKey, checked, open_client
from rectune.inference.openai_protocol import (
    LLAMA_SERVER,
    VLLM,
    InvalidResponse,
    ServerInfo,
    body,
    complaint,
    parse,
    read_answer,
    read_models,
    too_long,
    unknown_fields,
)
from rectune.inference.requests import GenerationRequest, GenerationResult
from rectune.inference.truncation import can_leave_out

T = TypeVar("T")
Keep = Callable[[GenerationResult], None]
Ask = Callable[[GenerationRequest], Awaitable[GenerationResult]]

_VERSIONS = {LLAMA_SERVER: ("props", "build_info"), VLLM: ("version", "version")}  # page, field


class RequestFailed(Exception):
    """This request cannot be answered."""


class PromptTooLong(RequestFailed):
    """The server has no room for prompt and answer."""


class ServerBackend(Backend):
    """Requests chat completions from a server; a context manager. Blocking, and not thread-safe.

    The key comes from RECTUNE_API_KEY, or else OPENAI_API_KEY. It is only in the header of requests to the
    address.

    Attributes:
        address: in normal form, without a slash at the end.
        model: the server's name for it.

    Raises:
        UserError: the address or the key cannot be used.
    """

    def __init__(self, address: str, model: str, settings: RemoteConfig) -> None:
        self.address, self.model = checked(address), model
        self._settings, self._key = settings, ApiKey()
        self._about: ServerInfo | None = None
        self._refused: set[str] = set()  # fields that the server does not know

    def close(self) -> None:
        """Forget the server's info; connections do not outlive a call."""
        self._about = None

    def generate(self, requests: Sequence[GenerationRequest], on_answer: Keep) -> None:
        """Answer every request once; `on_answer` is called in this thread as each one ends.

        Raises:
            UserError: no server is at the address, it refuses the key or the model, or it does not support a
                request's fields.
        """
        if requests:
            _run(lambda keep: self._generate(requests, keep), on_answer)

    @asynccontextmanager
    async def asking(self) -> AsyncIterator[Ask]:
        """A function that answers one request, as `generate` does; its calls may run together.

        It raises `UserError` where all requests would fail.

        Raises:
            UserError: the server cannot be asked.
        """
        async with open_client(self.address, self._key, self._settings) as client:
            about = await self._look(client)

            async def ask(request: GenerationRequest) -> GenerationResult:
                return await self._answer(client, request, about)

            yield ask

    def names(self) -> tuple[str, ...]:
        """The models that the server lists.

        Raises:
            UserError: the server cannot be asked.
        """
        return self._known().names

    def identity(self) -> str:
        """A hash of address, model name and the server's info about the model, instead of a file's digest.

        Raises:
            UserError: the server cannot be asked.
        """
        return content_id("server", self.address, self.model, dict(self._known().model))

    def provenance(self, sampling: SamplingConfig, seed: int) -> Provenance:
        """Who wrote an answer: model@server, quantisation if known, sampling, seed, software.

        Raises:
            UserError: the server cannot be asked.
        """
        about = self._known()
        return Provenance(
            model=f"{self.model}@{self.address.partition('://')[2]}",
            quantisation=self._key.hide(str(about.model.get("meta", {}).get("ftype", "unknown"))),
            sampling=json.dumps(sampling.model_dump(mode="json"), sort_keys=True, separators=(",", ":")),
            seed=seed,
            engine=about.engine,
        )

    def _known(self) -> ServerInfo:
        async def look(_: Keep) -> ServerInfo:
            async with open_client(self.address, self._key, self._settings) as client:
                return await self._look(client)

        self._about = self._about or _run(look, lambda _: None)
        return self._about

    async def _look(self, client: openai.AsyncOpenAI) -> ServerInfo:
        """The server's info; many servers report nothing."""
        try:
            reply = await client.get("/models", cast_to=httpx2.Response)
        except openai.APIStatusError as problem:
            reply = problem.response
        except openai.APIConnectionError as problem:
            found = self._key.hide(str(self._given_up(problem)))
            raise UserError(found, where=self.address, hint="look after the server") from None
        about = read_models(reply.content, self.model, reply.headers["server"])
        if about.software not in _VERSIONS:
            return about
        page, name = _VERSIONS[about.software]
        try:
            place = f"{self.address.removesuffix('/v1')}/{page}"
            reply = await client.get(place, cast_to=httpx2.Response, options={"max_retries": 0})
            told = parse(reply.content)
        except (openai.APIError, InvalidResponse):
            return about
        version = told.get(name) if isinstance(told, dict) else None
        return replace(about, version=self._key.hide(version)) if isinstance(version, str) else about

    async def _generate(self, requests: Sequence[GenerationRequest], keep: Keep) -> None:
        waiting = iter(requests)
        async with open_client(self.address, self._key, self._settings) as client:
            # Requested again in every call, so that a wrong address or key is found before anything is sent.
            about = await self._look(client)
            if self._about and self._about.model != about.model:
                found = f"another model has come to be behind the name {self.model}"
                raise UserError(found, where=self.address, hint="run it again; its answers are kept apart")
            self._about = about
            if any(request.grammar for request in requests) and about.software != LLAMA_SERVER:
                found = (
                    "the server does not say that it is llama-server, the only one that knows GBNF grammars"
                )
                raise UserError(
                    found, where=self.address, hint="use llama-server, or a GGUF file in this process"
                )

            async def work() -> None:
                for request in waiting:
                    keep(await self._answer(client, request, about))

            try:
                async with asyncio.TaskGroup() as group:
                    for _ in range(min(self._settings.concurrency, len(requests))):
                        group.create_task(work())
            except BaseExceptionGroup as problems:
                raise problems.exceptions[0] from None

    async def _answer(
        self, client: openai.AsyncOpenAI, request: GenerationRequest, about: ServerInfo
    ) -> GenerationResult:
        """Send the request, leaving out one more of the oldest history entries each time, until it fits."""
        left_out, last = 0, can_leave_out(request)
        while True:
            try:
                answer = await self._complete(client, request, about, left_out)
                return replace(answer, error=self._key.hide(answer.error), left_out=left_out)
            except RequestFailed as problem:
                if left_out == last or not isinstance(problem, PromptTooLong):
                    return GenerationResult(request.id, "", "error", 0, 0, self._key.hide(str(problem)))
            left_out += 1

    async def _complete(
        self, client: openai.AsyncOpenAI, request: GenerationRequest, about: ServerInfo, left_out: int
    ) -> GenerationResult:
        """Send the request without the fields that the server refuses, until it accepts it."""
        while True:
            sent = body(request, self.model, about.software, self._refused, left_out)
            try:
                reply = await client.post("/chat/completions", body=sent, cast_to=httpx2.Response)
                return _untruncated(read_answer(reply.content, request), request)
            except openai.APIStatusError as problem:
                self._do_without(self._unknown(problem, about, sent))
            except openai.APIConnectionError as problem:
                raise self._given_up(problem) from None

    def _given_up(self, problem: openai.APIConnectionError) -> RequestFailed:
        """The error after all tries.

        Raises:
            UserError: no server is at the address any more.
        """
        words, tries = str(problem.__cause__), self._settings.retries + 1  # the HTTP client's words
        if isinstance(problem.__cause__, httpx2.ConnectError):
            raise UserError(self._key.hide(words), where=self.address, hint=KEPT)
        return RequestFailed(f"{words} ({tries} tries)" if tries > 1 else words)

    def _unknown(self, problem: openai.APIStatusError, about: ServerInfo, sent: dict[str, Any]) -> set[str]:
        """The fields that a refusal is about.

        Raises:
            RequestFailed: it is about something else in this request.
            UserError: it is about all requests.
        """
        status, words = problem.status_code, complaint(problem.response.content)
        if status == 403:
            found = f"the server forbids it: {self._key.hide(words)}"
            raise UserError(found, where=self.address, hint="ask whoever runs it, or use another key")
        if status == 404 or "model_not_found" in words:
            names = self._key.hide(", ".join(about.names[:8]))
            hint = f"it serves {names}" if names else "does the address end as in http://localhost:8000/v1?"
            raise UserError(f"there is no model {self.model} there", where=self.address, hint=hint)
        if too_long(status, words):
            raise PromptTooLong(f"the server has no room for prompt and answer: {words}")
        if unknown := unknown_fields(words, sent):
            return unknown
        raise RequestFailed(f"the server refuses it ({status}): {words}")

    def _do_without(self, fields: set[str]) -> None:
        if "seed" in fields - self._refused:
            say(f"  {self.address} knows no seeds: what it answers cannot be had a second time")
        self._refused |= fields


def _untruncated(answer: GenerationResult, request: GenerationRequest) -> GenerationResult:
    """The answer, unless the server's context was full before `max_tokens`."""
    wanted = request.sampling.max_tokens
    if answer.finish == "length" and 0 < answer.tokens < wanted:
        found = f"{answer.tokens} tokens of an answer of up to {wanted}"
        raise PromptTooLong(f"the server had room for {found} after a prompt of {answer.prompt_tokens}")
    return answer


def _run(work: Callable[[Keep], Coroutine[Any, Any, T]], on_answer: Keep) -> T:
    """Run in an event loop, in another thread if this one has a loop; `on_answer` is called here anyway."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(work(on_answer))
    ended: SimpleQueue[GenerationResult | None] = SimpleQueue()
    with start_blocking_portal() as portal:
        result: Future[T] = portal.start_task_soon(work, ended.put)
        result.add_done_callback(lambda _: ended.put(None))
        while answer := ended.get():
            on_answer(answer)
        return result.result()
