"""The embedded model, loaded once a module, and small helpers for requests."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from rectune.core.settings import EngineConfig, SamplingConfig
from rectune.inference.llamacpp import LlamaEngine
from rectune.inference.requests import GenerationRequest
from rectune.models.reference import gguf_file

Ask = Callable[..., GenerationRequest]


@pytest.fixture(scope="session")
def model() -> Path:
    return gguf_file("embedded")


@pytest.fixture(scope="module")
def single(model: Path) -> Iterator[LlamaEngine]:
    with LlamaEngine(model, EngineConfig(context=320, max_num_seqs=1, threads=1, weights="file")) as engine:
        yield engine


@pytest.fixture(scope="module")
def several(model: Path) -> Iterator[LlamaEngine]:
    with LlamaEngine(model, EngineConfig(context=320, max_num_seqs=4, threads=1, weights="file")) as engine:
        yield engine


@pytest.fixture(scope="session")
def ask() -> Ask:
    """A request about one thing, greedy and eight tokens long unless said otherwise."""

    def make(text: str, system: str = "Be brief.", seed: int = 1, **others: object) -> GenerationRequest:
        of_request = ("stop", "prefill", "grammar", "json_schema")
        own: dict[str, Any] = {name: others.pop(name) for name in of_request if name in others}
        sampling = SamplingConfig.model_validate({"max_tokens": 8, "temperature": 0.0} | others)
        messages = (("system", system), ("user", text))
        return GenerationRequest(text, messages, sampling, seed, **own)

    return make
