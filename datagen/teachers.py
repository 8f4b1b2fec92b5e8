"""Asking the recipe's teacher models, each for its share of the requests."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from inference.generate import generate, provenance
from inference.requests import Answer, Request
from models.reference import gguf_file
from rectune import settings
from rectune.types import Provenance, content_id

Written = tuple[Answer, Provenance]


def ask_teachers(
    requests: Sequence[Request], config: settings.Generate, ledger: Path, label: str
) -> dict[str, Written]:
    """Answers by request id, each with who wrote it. A teacher is loaded once, and only if it has something to write."""
    written: dict[str, Written] = {}
    for number, teacher in enumerate(config.teachers):
        mine = [request for request in requests if _teacher_of(request.messages, config.teachers) == number]
        if not mine:
            continue
        model = gguf_file(teacher.model)
        answers = generate(model, mine, config, ledger, f"{label} ({model.stem})")
        for request, answer in zip(mine, answers, strict=True):
            written[request.id] = (answer, provenance(model, request.sampling, request.seed))
    return written


def seed_for(*parts: object) -> int:
    """A seed of 31 bits from anything that names the request."""
    return int(content_id("seed", *parts)[:8], 16) >> 1


def _teacher_of(messages: Sequence[tuple[str, str]], teachers: Sequence[settings.Teacher]) -> int:
    """The teacher of a request, by its hash and the shares: the same on every machine and in every order."""
    point = (
        int(content_id("teacher", messages)[:12], 16) / 16**12 * sum(teacher.share for teacher in teachers)
    )
    for number, teacher in enumerate(teachers):
        point -= teacher.share
        if point < 0:
            return number
    return len(teachers) - 1
