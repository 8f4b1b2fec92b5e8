"""Answers may be as long as their language needs; English keeps what the recipe says."""

from __future__ import annotations

from pathlib import Path

import pytest

from rectune.core.settings import EngineConfig, SamplingConfig
from rectune.core.types import Item
from rectune.inference.llamacpp import LlamaEngine
from rectune.inference.requests import GenerationRequest
from rectune.inference.token_budgets import token_lengths_of, with_budgets
from rectune.prompts.teacher_prompts import query_messages

ITEM = Item(
    "movies", "1", "기생충", ("드라마", "스릴러"), "반지하에 사는 가족이 부잣집에 하나씩 취직한다. " * 9, 2019
)


def asked(text: str, tokens: int) -> GenerationRequest:
    return GenerationRequest("r", (("system", text), ("user", "Heat")), SamplingConfig(max_tokens=tokens), 1)


def test_the_embedded_model_needs_several_times_the_tokens_for_korean(model: Path) -> None:
    lengths = token_lengths_of(model)
    assert lengths["en"] == 1.0
    assert 3.0 < lengths["ko"] < 7.0
    with LlamaEngine(model, EngineConfig(context=640, max_num_seqs=1, threads=1, weights="file")) as engine:
        assert engine.lengths == lengths


@pytest.mark.parametrize(
    ("tokens", "context", "least", "most"), [(16, 2000, 48, 112), (100, 200, 100, 100), (400, 1000, 500, 500)]
)
def test_a_budget_follows_the_language_within_half_of_the_context(
    model: Path, tokens: int, context: int, least: int, most: int
) -> None:
    korean, english = with_budgets(
        [asked("추천하는 이유를 설명하세요", tokens), asked("Say why", tokens)],
        token_lengths_of(model),
        context,
    )
    assert least <= korean.sampling.max_tokens <= most
    assert english == asked("Say why", tokens)
    assert korean.messages == asked("추천하는 이유를 설명하세요", tokens).messages


@pytest.mark.slow
def test_a_question_with_korean_examples_is_answered_in_a_small_context(model: Path) -> None:
    request = GenerationRequest(
        "r", query_messages(ITEM, "ko"), SamplingConfig(max_tokens=8, temperature=0.0), 1
    )
    with LlamaEngine(model, EngineConfig(context=640, max_num_seqs=1, threads=1, weights="file")) as engine:
        assert len(engine.tokens(request)) > 640
        answers = []
        engine.generate([request], answers.append)
    (answer,) = answers
    assert answer.finish != "error" and answer.left_out > 0 and answer.prompt_tokens <= 632
