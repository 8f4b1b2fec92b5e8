"""The entry point for stages: requests in, answers out, through the generation cache."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from rectune.core.digests import DigestCache, file_digest
from rectune.core.errors import UserError
from rectune.core.extras import needs_extra
from rectune.core.progress import detail, progress, say
from rectune.core.settings import EngineConfig, RemoteConfig, SamplingConfig
from rectune.core.text.plain import locale_of
from rectune.core.types import Provenance
from rectune.inference.backends import Backend
from rectune.inference.engine_cache import cached_engine
from rectune.inference.generation_cache import GenerationCache, request_key
from rectune.inference.gguf_model import describe
from rectune.inference.llamacpp import engine_version
from rectune.inference.requests import GenerationRequest, GenerationResult
from rectune.inference.token_budgets import SAME_LENGTHS, token_lengths_of, with_budgets

if TYPE_CHECKING:
    from rectune.inference.server import ServerBackend


@dataclass(frozen=True)
class ServedModel:
    """A model behind an OpenAI-compatible server: its base address, its name there, and the settings."""

    address: str
    name: str
    remote: RemoteConfig


Model = Path | ServedModel
OnAnswer = Callable[[int, GenerationResult], None]  # the place of a request, and its answer


class Generate(Protocol):
    """What `generate` is, for those who are handed another function in its place."""

    def __call__(
        self,
        model: Model,
        requests: Sequence[GenerationRequest],
        engine: EngineConfig,
        generation_cache: Path,
        label: str,
        failures: float = 1.0,
        *,
        on_answer: OnAnswer | None = None,
    ) -> list[GenerationResult]:
        """See `generate`."""
        ...


def generate(
    model: Model,
    requests: Sequence[GenerationRequest],
    engine: EngineConfig,
    generation_cache: Path,
    label: str,
    failures: float = 1.0,
    *,
    on_answer: OnAnswer | None = None,
) -> list[GenerationResult]:
    """Answer requests; what the generation cache holds is taken from there.

    Every new answer is in the generation cache before the next one is processed, so an interrupted call
    resumes. Requests that differ only in their id are generated once. If the generation cache has all
    answers, no model is loaded.

    Args:
        model: a GGUF file, or a model behind a server.
        requests: what to answer; ids need not differ.
        engine: how llama.cpp runs; with `workers`, on how many processes.
        generation_cache: the SQLite file; created if it does not exist.
        label: the name of the work in progress lines.
        failures: the share of the requests that may fail.
        on_answer: hears of each answer, by its place in `requests`, as soon as it is there.

    Returns:
        The answers, in the order of `requests`. Those with `finish` "error" say why and are tried again next
        time.

    Raises:
        UserError: no usable model, template, server or cache, or more failures than allowed.
    """
    requests = _budgeted(model, requests, engine)
    with GenerationCache(generation_cache) as book:
        keys = _keys(model, requests, book)
        answers = book.get_many(keys)
        left = {key: request for key, request in zip(keys, requests, strict=True) if key not in answers}
        tell = _telling(keys, requests, on_answer)
        for key, answer in answers.items():
            tell(key, answer)
        if left:
            # What another process wrote first stands, so that everybody returns the same text.
            answers |= _make(model, left, engine, book, label, tell) | book.get_many(left)
    found = [replace(answers[key], id=request.id) for key, request in zip(keys, requests, strict=True)]
    check_failures(found, failures, label)
    return found


def _telling(
    keys: Sequence[bytes], requests: Sequence[GenerationRequest], on_answer: OnAnswer | None
) -> Callable[[bytes, GenerationResult], None]:
    """What tells of an answer at the place of every request that has its key."""

    if on_answer is None:
        return lambda key, answer: None
    places: dict[bytes, list[int]] = {}
    for at, key in enumerate(keys):
        places.setdefault(key, []).append(at)

    def tell(key: bytes, answer: GenerationResult) -> None:
        for at in places[key]:
            on_answer(at, replace(answer, id=requests[at].id))

    return tell


def _budgeted(
    model: Model, requests: Sequence[GenerationRequest], engine: EngineConfig
) -> list[GenerationRequest]:
    if all(locale_of(one.messages[0][1]) == "en" for one in requests):
        return list(requests)  # no file is read for what stays as it is
    lengths = token_lengths_of(model) if isinstance(model, Path) else SAME_LENGTHS
    return with_budgets(requests, lengths, engine.context)


def missing(
    model: Model, requests: Sequence[GenerationRequest], engine: EngineConfig, generation_cache: Path
) -> list[GenerationRequest]:
    """The requests whose answers the generation cache does not hold."""
    with GenerationCache(generation_cache) as book:
        keys = _keys(model, _budgeted(model, requests, engine), book)
        found = book.get_many(keys)
    return [request for key, request in zip(keys, requests, strict=True) if key not in found]


def _keys(model: Model, requests: Sequence[GenerationRequest], book: GenerationCache) -> list[bytes]:
    """The key of each request's answer in the generation cache."""
    identity = (
        DigestCache(book.path.parent).digest(model) if isinstance(model, Path) else _server(model).identity()
    )
    return [request_key(identity, request) for request in requests]


_RETRY = (
    "correct that and run the same command again (what was answered is kept), "
    "or raise generate.max_failure_ratio"
)


def check_failures(answers: Sequence[GenerationResult], limit: float, label: str, hint: str = _RETRY) -> None:
    """Refuse answers of which more than the share `limit` failed.

    Raises:
        UserError: says how many, why the first one did, and `hint`.
    """
    failed = [answer for answer in answers if answer.finish == "error"]
    if len(failed) > limit * len(answers):
        found = f"{len(failed):,} of {len(answers):,} requests failed, the first because: {failed[0].error}"
        raise UserError(found, where=label, hint=hint)


def provenance(model: Model, sampling: SamplingConfig, seed: int) -> Provenance:
    """Who wrote an answer: model (name@hash or name@server), quantisation, sampling, seed, engine."""
    if isinstance(model, ServedModel):
        return _server(model).provenance(sampling, seed)
    name, quantisation = describe(model)
    return Provenance(
        model=f"{name}@{file_digest(model)}",
        quantisation=quantisation,
        sampling=json.dumps(sampling.model_dump(mode="json"), sort_keys=True, separators=(",", ":")),
        seed=seed,
        engine=engine_version(),
    )


@lru_cache(maxsize=8)
@needs_extra("a model behind a server")
def _server(model: ServedModel) -> ServerBackend:
    """The client that says who a server is: asked once."""
    from rectune.inference.server import ServerBackend  # and with it the SDK

    return ServerBackend(model.address, model.name, model.remote)


def _opened(model: Model, engine: EngineConfig) -> AbstractContextManager[Backend]:
    if isinstance(model, ServedModel):
        return _server(model)  # the same, so that it notices when another model comes to bear the name
    if engine.workers:
        from rectune.inference.cluster import RayBackend

        return RayBackend(model, engine)
    return cached_engine(model, engine)


def _make(
    model: Model,
    left: Mapping[bytes, GenerationRequest],
    engine: EngineConfig,
    book: GenerationCache,
    label: str,
    tell: Callable[[bytes, GenerationResult], None],
) -> dict[bytes, GenerationResult]:
    """Generate the missing answers, writing each to the cache as it ends."""
    keyed = {str(number): key for number, key in enumerate(left)}
    asked = [replace(left[key], id=name) for name, key in keyed.items()]
    made: dict[bytes, GenerationResult] = {}
    with _opened(model, engine) as backend, progress(label, len(asked), "answers") as advance:
        start = time.monotonic()

        def keep(answer: GenerationResult) -> None:
            key = keyed[answer.id]
            made[key] = answer
            book.put(key, answer)
            tell(key, answer)
            advance(1)

        backend.generate(asked, keep)
        seconds = time.monotonic() - start
    _report(label, list(made.values()), seconds)
    return made


def _report(label: str, made: Sequence[GenerationResult], seconds: float) -> None:
    tokens = sum(answer.tokens for answer in made)
    failed = [answer for answer in made if answer.finish == "error"]
    prompts = sum(answer.prompt_tokens for answer in made)
    detail(
        f"  {label}: {tokens} tokens generated from {prompts} of prompts, "
        f"{tokens / max(seconds, 1e-6):.0f} tokens/s"
    )
    if shortened := [answer.left_out for answer in made if answer.left_out]:
        say(f"  {label}: {len(shortened)} prompts shortened, {sum(shortened)} parts left out")
    if failed:
        say(f"  {label}: {len(failed)} of {len(made)} requests failed, the first because: {failed[0].error}")
