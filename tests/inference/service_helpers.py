"""A service over a scripted engine whose steps wait, and what is always true of its counters."""

from __future__ import annotations

import string
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from rectune.inference.service import EngineService
from rectune.inference.service_state import EngineSnapshot

from .scripted import Gated, Scripted


def script(text: bytes) -> dict[str, bytes]:
    """The same answer to every prompt of one letter."""
    return dict.fromkeys(string.ascii_letters, text)


@contextmanager
def served(
    slots: int = 1, answers: dict[str, bytes] | None = None, fail: Any = lambda step: False, **more: Any
) -> Iterator[tuple[EngineService, Gated]]:
    """A service whose steps wait; all are let through at the end."""
    engine = Gated(Scripted(answers or script(b"xyz"), slots=slots), fail)
    with EngineService(engine, **more) as service:
        try:
            yield service, engine
        finally:
            engine.open()
    assert engine.closed and engine.scripted.samplers == 0


def adds_up(state: EngineSnapshot) -> bool:
    return state.accepted == state.waiting + state.active + sum(state.finished.values())


def until(condition: Any) -> None:
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.001)
