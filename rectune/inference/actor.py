"""The Ray actor: a process with a model, which answers groups of requests."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from rectune.core.errors import UserError
from rectune.core.settings import EngineConfig
from rectune.inference.llamacpp import LlamaEngine
from rectune.inference.requests import GenerationRequest, GenerationResult

Group = Sequence[tuple[int, GenerationRequest]]  # requests with the numbers that answers carry


class Worker:
    """The actor: a model in a process of its own, loaded by the first call, whose errors reach the driver."""

    def __init__(self, model: Path, settings: EngineConfig) -> None:
        self._model, self._settings = model, settings
        self._engine: LlamaEngine | None = None

    def answer(self, group: Group) -> Iterator[tuple[int, GenerationResult]]:
        """Yield each answer with its request's number as it ends; an empty group only loads the model.

        Raises:
            UserError: the node has no such model, or it cannot be loaded, or llama.cpp cannot go on.
        """
        engine = self._engine = self._engine or self._load()
        ended = deque[GenerationResult]()
        for number, request in group:
            engine.submit(replace(request, id=str(number)), ended.append)
        while engine.busy:
            engine.step()
            while ended:
                answer = ended.popleft()
                yield int(answer.id), answer

    def _load(self) -> LlamaEngine:
        if not self._model.is_file():
            raise UserError(
                f"is not there on the node {os.uname().nodename}",
                where=str(self._model),
                hint="put the model file at the same path on every node of the cluster",
            )
        return LlamaEngine(self._model, self._settings)
