"""What stages see: answers in order, each generated once."""

from __future__ import annotations

import json
import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest

from rectune.core.errors import UserError
from rectune.core.settings import EngineConfig, SamplingConfig
from rectune.inference import generate as generating
from rectune.inference.generate import generate, provenance
from rectune.inference.llamacpp import LlamaEngine
from rectune.inference.requests import GenerationRequest

from .conftest import Ask

ENGINE = EngineConfig(context=256, max_num_seqs=4, threads=1)
FILMS = ["Alien", "Heat", "Up", "Brazil", "Ran"]


@pytest.fixture
def no_model(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(generating, "cached_engine", lambda *_: pytest.fail("a model was loaded"))


def count(generation_cache: Path) -> int:
    base = sqlite3.connect(generation_cache)
    try:
        (found,) = base.execute("SELECT count(*) FROM answers").fetchone()
    except sqlite3.OperationalError:  # not made yet
        found = 0
    base.close()
    return int(found)


def test_answers_come_in_order_from_the_model_and_then_from_the_generation_cache(
    model: Path, tmp_path: Path, ask: Ask, request: pytest.FixtureRequest
) -> None:
    generation_cache = tmp_path / "generations.sqlite"
    requests = [ask(film) for film in FILMS]
    twice = [*requests, replace(requests[0], id="again"), ask("film " * 400)]
    made = generate(model, twice, ENGINE, generation_cache, "trial")
    assert [answer.id for answer in made] == [asked.id for asked in twice]
    assert made[5] == replace(made[0], id="again")
    assert made[6].finish == "error"
    assert count(generation_cache) == len(FILMS)  # the copy was not generated, the error is not finished
    request.getfixturevalue("no_model")
    again = generate(model, requests[::-1], ENGINE, generation_cache, "trial")
    assert again == made[: len(FILMS)][::-1]


def test_only_what_is_missing_is_generated(
    model: Path, tmp_path: Path, ask: Ask, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    generation_cache, asked = tmp_path / "generations.sqlite", []
    original = LlamaEngine.generate

    def spy(self: LlamaEngine, requests: list[GenerationRequest], on_answer: object) -> None:
        asked.append([request.messages[-1][1] for request in requests])
        original(self, requests, on_answer)  # type: ignore[arg-type]

    monkeypatch.setattr(LlamaEngine, "generate", spy)
    generate(model, [ask("Alien", max_tokens=2)], ENGINE, generation_cache, "trial")
    generate(model, [ask(film, max_tokens=2) for film in FILMS[:3]], ENGINE, generation_cache, "trial")
    assert asked == [["Alien"], ["Heat", "Up"]]
    assert "tokens/s" in capsys.readouterr().err


@pytest.mark.usefixtures("no_model")
def test_nothing_asked_nothing_loaded(model: Path, tmp_path: Path) -> None:
    assert generate(model, [], ENGINE, tmp_path / "generations.sqlite", "trial") == []


def test_what_is_no_model_is_a_clear_error(tmp_path: Path, ask: Ask) -> None:
    wrong = tmp_path / "wrong.gguf"
    wrong.write_text("no model")
    with pytest.raises(UserError, match="no GGUF"):
        generate(wrong, [ask("Hi")], ENGINE, tmp_path / "generations.sqlite", "trial")
    with pytest.raises(UserError, match=r"none\.gguf"):
        generate(tmp_path / "none.gguf", [ask("Hi")], ENGINE, tmp_path / "generations.sqlite", "trial")


def test_provenance_says_who_wrote_and_how(model: Path) -> None:
    sampling = SamplingConfig(temperature=0.25)
    found = provenance(model, sampling, 5)
    name, _, digest = found.model.partition("@")
    assert name == "SmolLM2-135M-Instruct.Q4_1"
    assert len(digest) == 32
    assert (found.quantisation, found.seed, found.closing) == ("Q4_1", 5, "")
    assert found.engine.startswith("llama-cpp-python 0.")
    assert SamplingConfig.model_validate(json.loads(found.sampling)) == sampling
    assert provenance(model, sampling, 5) == found
