"""The dry run: it shows prompts as the teacher sees them, and leaves a few answers in the cache."""

from pathlib import Path

import pytest

from rectune.core.recipe import Recipe, load_recipe
from rectune.core.types import Provenance
from rectune.datagen.build import run
from rectune.datagen.generation_estimate import estimate_generation
from rectune.inference.requests import GenerationResult

ROOT = Path(__file__).parents[2]


@pytest.fixture()
def config() -> Recipe:
    return load_recipe(ROOT / "recipes/tiny.yaml", [f"data.root={ROOT / 'samples'}", "data.train=200"])


def test_it_shows_three_prompts_and_scales_a_probe_up(config: Recipe, tmp_path: Path) -> None:
    run(config, {}, tmp_path)
    asked: list[list[str]] = []
    clock = iter(range(0, 10_000, 6))

    def answer(requests, generate, generation_cache, label):  # type: ignore[no-untyped-def]
        asked.append([request.id for request in requests])
        source = Provenance("m", "q", "{}", 0, "e")
        return {request.id: (GenerationResult(request.id, "x", "stop", 1, 1), source) for request in requests}

    text = estimate_generation(config, tmp_path, tmp_path / "x.sqlite", answer, lambda: next(clock))
    assert (
        text.count("--- prompt") == 3 and text.count("<|im_start|>assistant") >= 9
    )  # seven shots in the first
    assert "What we recommend to them" in text
    queries, rationales = asked
    assert len(queries) == len(set(queries)) == len(rationales) == 24
    assert "rationales: 200 wanted, 0 in the generation cache; 24 answered in 6.0 s" in text
    assert "about 44 s for the rest" in text
