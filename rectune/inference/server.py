"""A model behind an OpenAI-compatible server: many requests in flight at once, each until it is answered or given up."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from rectune.core.errors import UserError
from rectune.core.progress import say
from rectune.core.settings import Remote, Sampling
from rectune.core.types import Provenance, content_id
from rectune.inference.backends import Backend
from rectune.inference.completions import (
    LLAMA_SERVER,
    VLLM,
    About,
    Rubbish,
    body,
    complaint,
    parse,
    read_answer,
    read_models,
    too_long,
    unknown_fields,
)
from rectune.inference.requests import Answer, Request
from rectune.inference.shortening import can_leave_out
from rectune.inference.transport import Failed, Key, Line, Reply, Transient, checked

_VERSIONS = {LLAMA_SERVER: ("props", "build_info"), VLLM: ("version", "version")}  # page, field


class _TooLong(Failed):
    """The server has no room for prompt and answer."""


class ServerBackend(Backend):
    """Asks a server for chat completions; a context manager. Blocking, and not thread-safe.

    The key comes from RECTUNE_API_KEY, or else OPENAI_API_KEY. It goes into the header of requests to the address
    and nowhere else.

    Attributes:
        address: in one spelling, without a slash at the end.
        model: the server's name for it.

    Raises:
        UserError: the address or the key cannot be used.
    """

    def __init__(self, address: str, model: str, settings: Remote) -> None:
        self.address, self.model = checked(address), model
        self._settings, self._key = settings, Key()
        self._about: About | None = None
        self._refused: set[str] = set()  # fields that the server does not know

    def close(self) -> None:
        """Forget what the server told; connections live no longer than a call."""
        self._about = None

    def generate(self, requests: Sequence[Request], on_answer: Callable[[Answer], None]) -> None:
        """Answer every request once; `on_answer` is called in this thread as each one ends, in the order of ending.

        Raises:
            UserError: nobody is at the address, it refuses the key or the model, or it cannot do what is asked.
        """
        if requests:
            asyncio.run(self._generate(requests, on_answer))

    def identity(self) -> str:
        """A hash of address, model name and what the server tells of the model: in place of a file's digest.

        Raises:
            UserError: the server cannot be asked.
        """
        return content_id("server", self.address, self.model, dict(self._known().model))

    def provenance(self, sampling: Sampling, seed: int) -> Provenance:
        """Who wrote an answer: model@server, its quantisation if the server tells, sampling, seed, the software.

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

    def _known(self) -> About:
        async def look() -> About:
            async with Line(self.address, self._key, self._settings) as line:
                return await self._look(line)

        if self._about is None:
            self._about = asyncio.run(look())
        return self._about

    async def _look(self, line: Line) -> About:
        """What the server tells about itself; many tell nothing."""
        try:
            reply = await line.insist(lambda: line.ask("GET", f"{self.address}/models"))
        except Failed as problem:
            raise UserError(
                self._key.hide(str(problem)), where=self.address, mend="look after the server"
            ) from None
        content = reply.content if reply.status == 200 else b""
        about = read_models(content, self.model, reply.headers.get("server", ""))
        if about.software not in _VERSIONS:
            return about
        page, name = _VERSIONS[about.software]
        try:
            reply = await line.ask("GET", f"{self.address.removesuffix('/v1')}/{page}")
            told = parse(reply.content)
        except (Transient, Rubbish):
            return about
        version = told.get(name) if isinstance(told, dict) else None
        return replace(about, version=self._key.hide(version)) if isinstance(version, str) else about

    async def _generate(self, requests: Sequence[Request], on_answer: Callable[[Answer], None]) -> None:
        waiting = iter(requests)
        async with Line(self.address, self._key, self._settings) as line:
            # Asked anew by every call: so a wrong address or key is found before anything is sent.
            about = await self._look(line)
            if self._about and self._about.model != about.model:
                found = f"another model has come to be behind the name {self.model}"
                raise UserError(found, where=self.address, mend="run it again; its answers are kept apart")
            self._about = about
            if any(request.grammar for request in requests) and about.software != LLAMA_SERVER:
                found = "the server does not say that it is llama-server, the only one to know grammars of this kind"
                raise UserError(
                    found, where=self.address, mend="use llama-server, or a GGUF file in this process"
                )

            async def work() -> None:
                for request in waiting:
                    on_answer(await self._answer(line, request, about))

            try:
                async with asyncio.TaskGroup() as group:
                    for _ in range(min(self._settings.concurrency, len(requests))):
                        group.create_task(work())
            except BaseExceptionGroup as problems:
                raise problems.exceptions[0] from None

    async def _answer(self, line: Line, request: Request, about: About) -> Answer:
        """Ask, each time without one more of the oldest entries of the history, until there is room."""
        left_out, last = 0, can_leave_out(request)
        while True:
            try:
                answer = await self._complete(line, request, about, left_out)
                return replace(answer, error=self._key.hide(answer.error), left_out=left_out)
            except Failed as problem:
                if left_out == last or not isinstance(problem, _TooLong):
                    return Answer(request.id, "", "error", 0, 0, self._key.hide(str(problem)))
            left_out += 1

    async def _complete(self, line: Line, request: Request, about: About, left_out: int) -> Answer:
        """Ask until the server knows all the fields that it is sent."""
        while True:
            sent = body(request, self.model, about.software, self._refused, left_out)

            async def once(sent: dict[str, Any] = sent) -> Answer | set[str]:
                reply = await line.ask("POST", f"{self.address}/chat/completions", sent)
                if reply.status < 300:
                    return _untruncated(read_answer(reply.content, request), request)
                return self._unknown(reply, about, sent)

            found = await line.insist(once)
            if isinstance(found, Answer):
                return found
            self._do_without(found)

    def _unknown(self, reply: Reply, about: About, sent: dict[str, Any]) -> set[str]:
        """The fields that a refusal is about.

        Raises:
            Failed: it is about something else in this request.
            UserError: it is about all requests.
        """
        words = complaint(reply.content)
        if reply.status == 403:
            found = f"the server forbids it: {self._key.hide(words)}"
            raise UserError(found, where=self.address, mend="ask whoever runs it, or use another key")
        if reply.status == 404 or "model_not_found" in words:
            names = self._key.hide(", ".join(about.names[:8]))
            mend = f"it serves {names}" if names else "does the address end as in http://localhost:8000/v1?"
            raise UserError(f"there is no model {self.model} there", where=self.address, mend=mend)
        if too_long(reply.status, words):
            raise _TooLong(f"the server has no room for prompt and answer: {words}")
        if unknown := unknown_fields(words, sent):
            return unknown
        raise Failed(f"the server refuses it ({reply.status}): {words}")

    def _do_without(self, fields: set[str]) -> None:
        if "seed" in fields - self._refused:
            say(f"  {self.address} knows no seeds: what it answers cannot be had a second time")
        self._refused |= fields


def _untruncated(answer: Answer, request: Request) -> Answer:
    """The answer, unless the server's context was full before the answer was as long as it may be."""
    wanted = request.sampling.max_tokens
    if answer.finish == "length" and 0 < answer.tokens < wanted:
        found = f"{answer.tokens} tokens of an answer of up to {wanted}"
        raise _TooLong(f"the server had room for {found} after a prompt of {answer.prompt_tokens}")
    return answer
