"""What the tests of the server backend ask with."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import anyio
import pytest

from rectune.core.errors import UserError
from rectune.core.settings import RemoteConfig, SamplingConfig
from rectune.inference.requests import GenerationRequest, GenerationResult
from rectune.inference.server import ServerBackend

from .openai_stand_in import MODEL, Say, Seen, StandIn, echo

LIKED = ("Alien", "Heat", "Up", "Brazil", "Ran")
QUICK = RemoteConfig(concurrency=4, timeout=5.0, retries=2)
PLAIN = SamplingConfig(top_k=0, top_p=1.0, min_p=0.0, temperature=1.0)


def ask(text: str, sampling: SamplingConfig = PLAIN, **others: Any) -> GenerationRequest:
    return GenerationRequest(text, (("system", "Be brief."), ("user", text)), sampling, seed=5, **others)


def answers(
    server: StandIn, requests: Sequence[GenerationRequest], settings: RemoteConfig = QUICK
) -> dict[str, GenerationResult]:
    """The answers by id; that each comes once is checked."""
    found: list[GenerationResult] = []
    with ServerBackend(server.address, MODEL, settings) as backend:
        backend.generate(requests, found.append)
    assert sorted(answer.id for answer in found) == sorted(request.id for request in requests)
    return {answer.id: answer for answer in found}


def first(*replies: Say, then: Callable[[Seen], Say] = echo) -> Callable[[Seen], Say]:
    """The given replies to the first tries of every request."""
    return lambda seen: replies[seen.number - 1] if seen.number <= len(replies) else then(seen)


def listed(**entry: Any) -> dict[str, Say]:
    return {"/v1/models": Say(content={"data": [{"id": MODEL} | entry]})}


def failure(address: str, requests: Sequence[GenerationRequest], settings: RemoteConfig = QUICK) -> str:
    """The complaint about a call that cannot succeed."""
    with pytest.raises(UserError) as caught, ServerBackend(address, MODEL, settings) as backend:
        backend.generate(requests, lambda answer: pytest.fail(f"got {answer}"))
    return str(caught.value)


def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the SDK's pauses between tries, of half a second and more, pass fifty times as fast."""
    sleep = anyio.sleep
    monkeypatch.setattr(anyio, "sleep", lambda seconds: sleep(seconds / 50))
