"""What the stages call: requests in, answers out, through the ledger."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from inference.ledger import Ledger, model_digest, request_key
from inference.llamacpp import LlamaEngine, describe, engine_version
from inference.requests import Answer, Request
from rectune.progress import progress, say
from rectune.settings import Engine, Sampling
from rectune.types import Provenance


def generate(
    model: Path, requests: Sequence[Request], engine: Engine, ledger: Path, label: str
) -> list[Answer]:
    """Answer requests with a GGUF model; what the ledger holds is taken from there.

    Every new answer is in the ledger before the next one is looked at, so an interrupted call goes on where
    it was. Requests that differ in nothing but their id are generated once. If the ledger answers all, no
    model is loaded.

    Args:
        model: a GGUF file.
        requests: what to answer; ids need not differ.
        engine: how llama.cpp runs.
        ledger: the SQLite file; made if it is not there.
        label: what progress calls the work.

    Returns:
        The answers, in the order of `requests`. Those with `finish` "error" say why and are tried again next
        time.

    Raises:
        UserError: no usable model, template or ledger.
    """
    with Ledger(ledger) as book:
        digest = book.digest(model)
        keys = [request_key(digest, request) for request in requests]
        answers = book.get_many(keys)
        missing = {key: request for key, request in zip(keys, requests, strict=True) if key not in answers}
        if missing:
            # What another process wrote first stands, so that everybody returns the same text.
            answers |= _make(model, missing, engine, book, label) | book.get_many(missing)
    return [replace(answers[key], id=request.id) for key, request in zip(keys, requests, strict=True)]


def provenance(model: Path, sampling: Sampling, seed: int) -> Provenance:
    """Who wrote an answer: model as name@content hash, quantisation, sampling, seed, engine version."""
    name, quantisation = describe(model)
    return Provenance(
        model=f"{name}@{model_digest(model)}",
        quantisation=quantisation,
        sampling=json.dumps(sampling.model_dump(mode="json"), sort_keys=True, separators=(",", ":")),
        seed=seed,
        engine=engine_version(),
    )


def _make(
    model: Path, missing: Mapping[bytes, Request], engine: Engine, book: Ledger, label: str
) -> dict[bytes, Answer]:
    """Generate what is missing, writing each answer down as it ends."""
    keyed = {str(number): key for number, key in enumerate(missing)}
    asked = [replace(missing[key], id=name) for name, key in keyed.items()]
    made: dict[bytes, Answer] = {}
    with LlamaEngine(model, engine) as llama, progress(label, len(asked), "answers") as advance:
        start = time.monotonic()

        def keep(answer: Answer) -> None:
            key = keyed[answer.id]
            made[key] = answer
            book.put(key, answer)
            advance(1)

        llama.generate(asked, keep)
        seconds = time.monotonic() - start
    _report(label, list(made.values()), seconds)
    return made


def _report(label: str, made: Sequence[Answer], seconds: float) -> None:
    tokens = sum(answer.tokens for answer in made)
    failed = [answer for answer in made if answer.finish == "error"]
    say(f"  {label}: {tokens} tokens generated, {tokens / max(seconds, 1e-6):.0f} tokens/s")
    if failed:
        say(f"  {label}: {len(failed)} of {len(made)} requests failed, the first because: {failed[0].error}")
