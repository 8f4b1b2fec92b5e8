"""Sampling candidates: different answers, seeds that follow from the content, the real tiny model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from rectune.align.candidates import REDRAWS, SampledAnswers, gap_to_adapter, messages_of, run, sample
from rectune.core.errors import UserError
from rectune.core.recipe import Recipe
from rectune.core.rng import seed_of
from rectune.core.rows import read_rows, write_rows
from rectune.core.settings import CandidatesConfig, EngineConfig, ModelsConfig, SamplingConfig
from rectune.core.types import Candidate, Prompt
from rectune.inference.requests import GenerationRequest, GenerationResult
from tests.align.examples import make_prompt

SETTINGS = CandidatesConfig(answers=3, sampling=SamplingConfig(max_tokens=8, seed=0))
Model = Callable[[GenerationRequest], str]


class FakeEngine:
    """Stands in for `rectune.inference.generate.generate`; remembers what was asked."""

    def __init__(self, model: Model) -> None:
        self.model = model
        self.asked: list[GenerationRequest] = []

    def __call__(
        self,
        model: Path,
        requests: Sequence[GenerationRequest],
        engine: EngineConfig,
        generation_cache: Path,
        label: str,
    ) -> list[GenerationResult]:
        self.asked += requests
        return [self._answer(request) for request in requests]

    def _answer(self, request: GenerationRequest) -> GenerationResult:
        text = self.model(request)
        finish = "error" if text == "FAIL" else "stop"
        return GenerationResult(request.id, "" if finish == "error" else text, finish, 5, 2)  # type: ignore[arg-type]


def draw(model: Model) -> tuple[SampledAnswers, FakeEngine]:
    engine = FakeEngine(model)
    return sample([make_prompt(0), make_prompt(1)], SETTINGS, Path("m"), Path("l"), engine), engine


def texts(drawn: SampledAnswers, number: int) -> list[str]:
    return [text for text, _ in drawn.answers[make_prompt(number).id].values()]


def test_different_answers_are_drawn_once() -> None:
    drawn, engine = draw(lambda request: f" {request.seed}\n")
    assert len(engine.asked) == len({request.seed for request in engine.asked}) == 6
    assert (drawn.redrawn, drawn.identical, drawn.failed, drawn.tokens) == (0, 0, 0, 12)
    kept = {seed: text for places in drawn.answers.values() for text, seed in places.values()}
    assert kept == {request.seed: str(request.seed) for request in engine.asked}


def test_an_identical_answer_is_drawn_again_with_another_seed() -> None:
    first = {seed_of("candidate", make_prompt(0).id, index, 0, 0) for index in range(3)}
    drawn, engine = draw(lambda r: "same" if r.seed in first else str(r.seed))
    assert len(set(texts(drawn, 0))) == 3
    assert "same" in texts(drawn, 0)
    assert (len(engine.asked), drawn.redrawn, drawn.identical) == (8, 2, 0)


def test_after_three_redraws_identical_and_empty_answers_are_left_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    mute = make_prompt(1).instruction
    drawn, engine = draw(lambda r: "  " if r.messages[-1][1] == mute else "always this")
    assert (texts(drawn, 0), texts(drawn, 1)) == (["always this"], [])
    assert (drawn.identical, drawn.redrawn) == (5, 5 * REDRAWS)
    assert len(engine.asked) == 6 + 5 * REDRAWS


def test_a_failed_request_is_counted_and_not_drawn_again() -> None:
    drawn, engine = draw(lambda r: "FAIL" if r.id.endswith("/0/0") else str(r.seed))
    assert (drawn.failed, drawn.redrawn, len(engine.asked)) == (2, 0, 6)
    assert len(texts(drawn, 0)) == 2


def test_a_prompt_without_a_system_message_is_asked_without_one() -> None:
    prompt = make_prompt(0, system="")
    assert messages_of(prompt) == (("user", prompt.instruction),)


def test_no_fresh_prompts_is_an_error_that_names_the_setting(tmp_path: Path) -> None:
    write_rows(tmp_path / "prompts.parquet", [make_prompt(0, split="train")], Prompt)
    with pytest.raises(UserError, match=r"data\.preference"):
        run(Recipe.model_construct(candidates=SETTINGS), {"queries": tmp_path}, tmp_path)


MODELS = ModelsConfig(base="tiny", load_in_4bit=True, compute_dtype="float32", quantisation="Q8_0")


def tiny_inputs(root: Path) -> dict[str, Path]:
    """The real tiny base, and an adapter that really changes it."""
    import torch

    from rectune.core.settings import LoraSection
    from rectune.models import prepare
    from rectune.models.loading import add_lora, load_for_training, note_base

    inputs = {name: root / "store" / name / "1" for name in ("base", "sft", "queries")}
    for folder in inputs.values():
        folder.mkdir(parents=True)
    prepare.run(Recipe.model_construct(models=MODELS), {}, inputs["base"])
    adapted = add_lora(load_for_training(inputs["base"] / "checkpoint", MODELS), LoraSection(r=4), seed=1)
    with torch.no_grad():
        for name, weight in adapted.named_parameters():
            if "lora_B" in name:
                weight.normal_(std=0.05)
    adapted.save_pretrained(inputs["sft"] / "adapter")
    note_base(inputs["sft"] / "adapter", MODELS)
    prompts = [make_prompt(n) for n in range(3)] + [make_prompt(9, split="test")]
    write_rows(inputs["queries"] / "prompts.parquet", prompts, Prompt)
    return inputs


def _first(rows: Sequence[Candidate]) -> list[tuple[Prompt, str]]:
    return [(make_prompt(0), row.text) for row in rows if row.prompt_id == make_prompt(0).id]


@pytest.mark.slow
def test_the_real_tiny_model_answers_and_its_gguf_is_the_adapter_model(
    tmp_path: Path,
) -> None:
    inputs = tiny_inputs(tmp_path)
    out = tmp_path / "store" / "candidates" / "1.partial"
    out.mkdir(parents=True)
    config = Recipe.model_construct(models=MODELS, candidates=SETTINGS)
    stats = run(config, inputs, out)
    rows = read_rows(out / "candidates.parquet", Candidate)
    assert {row.prompt_id for row in rows} == {make_prompt(n).id for n in range(3)}
    assert len({(row.prompt_id, row.text) for row in rows}) == len(rows) == stats.rows_out == 9
    assert {row.provenance.quantisation for row in rows} == {"Q8_0"}
    assert stats.gap_to_adapter.nats_per_token < 0.05
    assert stats.gguf.tensor_types
    assert sorted(path.name for path in out.iterdir()) == ["candidates.parquet", "model.gguf"]
    untuned = gap_to_adapter(config, inputs, inputs["base"] / "model.gguf", _first(rows))
    assert untuned.nats_per_token > 10 * stats.gap_to_adapter.nats_per_token
    made = (out / "model.gguf").stat().st_mtime_ns
    assert run(config, inputs, out) == stats
    assert read_rows(out / "candidates.parquet", Candidate) == rows
    assert (out / "model.gguf").stat().st_mtime_ns == made
