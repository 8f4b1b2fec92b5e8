"""Distributing requests over the recipe's teacher models by their weights."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from rectune.core import settings
from rectune.core.types import Provenance, content_id
from rectune.inference.generate import Model, ServedModel, generate, missing, provenance
from rectune.inference.llamacpp import prompt_text
from rectune.inference.requests import GenerationRequest, GenerationResult
from rectune.models.reference import gguf_file

Written = tuple[GenerationResult, Provenance]
# What `ask_teachers` is, for those who are handed another function in its place.
AskTeachers = Callable[[Sequence[GenerationRequest], settings.GenerateConfig, Path, str], dict[str, Written]]


def ask_teachers(
    requests: Sequence[GenerationRequest], config: settings.GenerateConfig, generation_cache: Path, label: str
) -> dict[str, Written]:
    """Answers by request id, each with its provenance; a teacher is loaded once, and only if needed."""
    written: dict[str, Written] = {}
    for teacher, mine in _shared_out(requests, config.teachers):
        model = model_of(teacher, config)
        name = model.stem if isinstance(model, Path) else model.name
        answers = generate(
            model, mine, config, generation_cache, f"{label} ({name})", config.max_failure_ratio
        )
        for request, answer in zip(mine, answers, strict=True):
            written[request.id] = (answer, provenance(model, request.sampling, request.seed))
    return written


def unanswered(
    requests: Sequence[GenerationRequest], config: settings.GenerateConfig, generation_cache: Path
) -> list[GenerationRequest]:
    """The requests whose answers the generation cache does not hold, in their order."""
    left = {
        request.id
        for teacher, mine in _shared_out(requests, config.teachers)
        for request in missing(model_of(teacher, config), mine, config, generation_cache)
    }
    return [request for request in requests if request.id in left]


def model_of(teacher: settings.TeacherConfig, config: settings.GenerateConfig) -> Model:
    """The GGUF file or the server of a teacher.

    Raises:
        UserError: there is no such file.
    """
    if teacher.server:
        return ServedModel(teacher.server, teacher.model, config.remote)
    return gguf_file(teacher.model)


def rendered(request: GenerationRequest, config: settings.GenerateConfig) -> str:
    """A request as its teacher sees it, with control tokens; by role if a server renders it."""
    ((teacher, _),) = _shared_out([request], config.teachers)
    model = model_of(teacher, config)
    if isinstance(model, Path):
        return prompt_text(model, request)
    turns = [f"[{role}] {content}" for role, content in request.messages]
    return "\n".join([*turns, f"[assistant] {request.prefill}"])


def _shared_out(
    requests: Sequence[GenerationRequest], teachers: Sequence[settings.TeacherConfig]
) -> Iterator[tuple[settings.TeacherConfig, list[GenerationRequest]]]:
    """Each teacher with its requests, without those that have none."""
    for number, teacher in enumerate(teachers):
        mine = [request for request in requests if _teacher_of(request.messages, teachers) == number]
        if mine:
            yield teacher, mine


def _teacher_of(messages: Sequence[tuple[str, str]], teachers: Sequence[settings.TeacherConfig]) -> int:
    """The teacher of a request, by its hash and the weights: the same on every machine and in every order."""
    point = (
        int(content_id("teacher", messages)[:12], 16) / 16**12 * sum(teacher.weight for teacher in teachers)
    )
    for number, teacher in enumerate(teachers):
        point -= teacher.weight
        if point < 0:
            return number
    return len(teachers) - 1
