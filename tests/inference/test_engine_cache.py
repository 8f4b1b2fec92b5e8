"""A conversation loads its model once, nobody else keeps one, and what went wrong is not kept."""

from __future__ import annotations

from pathlib import Path

import pytest

from rectune.core.settings import EngineConfig, RetrievalConfig, SamplingConfig
from rectune.inference import engine_cache as keeping
from rectune.inference.engine_cache import cached_engine, keep_engines_loaded
from rectune.inference.llamacpp import LlamaEngine

ENGINE = EngineConfig(context=64, max_num_seqs=1, threads=1, weights="file")


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[LlamaEngine]:
    """Every engine that is made."""
    engines: list[LlamaEngine] = []

    class Counted(LlamaEngine):
        closed = False

        def __init__(self, model: Path, engine: EngineConfig) -> None:
            super().__init__(model, engine)
            engines.append(self)

        def close(self) -> None:
            super().close()
            self.closed = True

    monkeypatch.setattr(keeping, "LlamaEngine", Counted)
    return engines


def closed(made: list[LlamaEngine]) -> list[bool]:
    return [engine.closed for engine in made]  # type: ignore[attr-defined]


def test_alone_each_is_closed_behind_its_use(model: Path, made: list[LlamaEngine]) -> None:
    for _ in range(2):
        with cached_engine(model, ENGINE):
            assert not closed(made)[-1]
    assert closed(made) == [True, True]


def test_a_conversation_keeps_one_for_each_model_and_setting_of_the_engine(
    model: Path, made: list[LlamaEngine]
) -> None:
    same = RetrievalConfig(
        **ENGINE.model_dump(), sampling=SamplingConfig(), top=3
    )  # what is no setting of the engine does not count
    other = ENGINE.model_copy(update={"max_num_seqs": 2})
    with keep_engines_loaded():
        for settings in (ENGINE, same, other, ENGINE):
            with cached_engine(model, settings) as engine:
                assert engine.slots == settings.max_num_seqs
        assert closed(made) == [False, False]
    assert closed(made) == [True, True]
    with cached_engine(model, ENGINE):
        pass
    assert closed(made) == [True, True, True]


def test_an_engine_whose_work_failed_is_not_used_again(model: Path, made: list[LlamaEngine]) -> None:
    with keep_engines_loaded():
        with pytest.raises(OSError, match="disk"), cached_engine(model, ENGINE):
            raise OSError("the disk is full")
        with cached_engine(model, ENGINE) as engine:
            assert engine is made[1]
        assert closed(made) == [True, False]
    assert closed(made) == [True, True]
