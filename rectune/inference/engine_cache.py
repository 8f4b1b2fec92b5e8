"""Engines that stay loaded in interactive use, so that a request does not load the model again."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path

from rectune.core.settings import EngineConfig
from rectune.inference.llamacpp import LlamaEngine

_Key = tuple[Path, str]

_kept: ContextVar[dict[_Key, LlamaEngine] | None] = ContextVar("kept", default=None)


@contextmanager
def keep_engines_loaded() -> Iterator[None]:
    """Within this, `cached_engine` closes no engine; all of them are closed at the end."""
    engines: dict[_Key, LlamaEngine] = {}
    before = _kept.set(engines)
    try:
        yield
    finally:
        _kept.reset(before)
        for engine in engines.values():
            engine.close()


@contextmanager
def cached_engine(model: Path, settings: EngineConfig) -> Iterator[LlamaEngine]:
    """An engine for this model and these settings: a cached one, else a new one, closed at the end.

    If the block raises, a cached engine is closed too, since its state is unknown.

    Raises:
        UserError: see `LlamaEngine`.
    """
    engines = _kept.get()
    if engines is None:
        with LlamaEngine(model, settings) as engine:
            yield engine
        return
    key = (model, settings.model_dump_json(include=set(EngineConfig.model_fields)))
    if key not in engines:
        engines[key] = LlamaEngine(model, settings)
    try:
        yield engines[key]
    except BaseException:
        engines.pop(key).close()
        raise
