"""The worker of a cluster: a process with a model, which answers groups of requests."""

from __future__ import annotations

import os
import pickle
import queue
import threading
import traceback
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rectune.core.errors import UserError
from rectune.core.settings import Engine
from rectune.inference.llamacpp import LlamaEngine
from rectune.inference.requests import Answer, Request

SLOTS = 16  # taken for a worker's slots where it chooses them itself
_PARTS = 4  # answers are handed over together when this fraction of the slots has ended

Group = Sequence[tuple[int, Request]]  # requests with the numbers that answers carry


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a worker cannot answer at all; `mend` is empty if it is a fault of the program."""

    found: str
    where: str = ""
    mend: str = ""

    def error(self) -> Exception:
        """What the driver raises."""
        return (
            UserError(self.found, where=self.where, mend=self.mend) if self.mend else RuntimeError(self.found)
        )


class Worker:
    """The actor: a model in a process of its own."""

    def __init__(self, model: str, settings: Engine) -> None:
        self._together = max(1, (settings.slots or SLOTS) // _PARTS)
        self._engine: LlamaEngine | Failure
        try:
            self._engine = LlamaEngine(_on_this_node(Path(model)), settings)
        except UserError as problem:  # raised here, it would reach the driver as Ray's
            self._engine = _failure(problem)

    def __call__(self, batch: Mapping[str, Any]) -> Iterator[dict[str, list[bytes]]]:
        """Yield what became of a group: lists of numbered answers as they end, or a Failure."""
        for group in map(pickle.loads, batch["group"]):
            for outcome in self._outcomes(group):
                yield {"outcome": [pickle.dumps(outcome)]}

    def _outcomes(self, group: Group) -> Iterator[list[tuple[int, Answer]] | Failure]:
        if isinstance(self._engine, Failure):
            yield self._engine
            return
        ended: queue.SimpleQueue[tuple[int, Answer] | Failure | None] = queue.SimpleQueue()
        threading.Thread(target=_write, args=(self._engine, group, ended), daemon=True).start()
        together: list[tuple[int, Answer]] = []
        while outcome := ended.get():
            if isinstance(outcome, Failure):
                yield outcome
                return
            together.append(outcome)
            # By count and not by time: a second try has to yield what the first one did.
            if len(together) == self._together:
                yield together
                together = []
        if together:
            yield together


def _write(
    engine: LlamaEngine, group: Group, ended: queue.SimpleQueue[tuple[int, Answer] | Failure | None]
) -> None:
    """Generate in a thread, so that answers can be yielded meanwhile; a None comes last."""
    asked = [replace(request, id=str(number)) for number, request in group]
    try:
        engine.generate(asked, lambda answer: ended.put((int(answer.id), answer)))
    except Exception as problem:
        ended.put(_failure(problem))
    ended.put(None)


def _failure(problem: Exception) -> Failure:
    if isinstance(problem, UserError):
        return Failure(problem.found, problem.where, problem.mend or "see Ray's logs")
    return Failure(f"a worker failed:\n{traceback.format_exc()}")


def _on_this_node(model: Path) -> Path:
    if not model.is_file():
        raise UserError(
            f"is not there on the node {os.uname().nodename}",
            where=str(model),
            mend="put the model file at the same path on every node of the cluster",
        )
    return model
