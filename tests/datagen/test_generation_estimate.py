"""The dry run: it shows prompts as the teacher sees them, and leaves a few answers in the cache."""

from pathlib import Path

import pytest

from rectune.core.catalogue import load_catalogue
from rectune.core.recipe import Recipe, load_recipe
from rectune.core.types import Provenance
from rectune.datagen.build import run
from rectune.datagen.generation_estimate import GenerationEstimate, estimate_generation
from rectune.inference.requests import GenerationResult
from rectune.rankers.allmrec.items_stage import item_texts
from rectune.rankers.domain_data import DomainData
from rectune.retrieval.embedding import register

ROOT = Path(__file__).parents[2]


register("counts words", 2, lambda texts: None)


def recipe(*overrides: str) -> Recipe:
    return load_recipe(ROOT / "recipes/tiny.yaml", [f"data.root={ROOT / 'samples'}", *overrides])


class Teacher:
    """Answers every request, and keeps the requests by what they are for; its clock goes on by 6 s a look."""

    def __init__(self) -> None:
        self.asked: dict[str, list[str]] = {}
        self._clock = iter(range(0, 10_000, 6))

    def __call__(self, requests, generate, generation_cache, label):  # type: ignore[no-untyped-def]
        self.asked[label] = [request.id for request in requests]
        source = Provenance("m", "q", "{}", 0, "e")
        return {request.id: (GenerationResult(request.id, "x", "stop", 1, 1), source) for request in requests}

    def estimate(self, config: Recipe, data: Path) -> GenerationEstimate:
        return estimate_generation(config, data, data / "x.sqlite", self, lambda: next(self._clock))


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    run(recipe("data.train=200"), {}, folder)
    return folder


def test_it_shows_three_prompts_and_scales_a_probe_up(data: Path) -> None:
    teacher = Teacher()
    text = teacher.estimate(recipe(), data).text
    assert (
        text.count("--- prompt") == 3 and text.count("<|im_start|>assistant") >= 9
    )  # seven shots in the first
    assert "What we recommend to them" in text
    queries, rationales = teacher.asked.values()
    assert len(queries) == len(set(queries)) == len(rationales) == 24
    assert "rationales: 200 wanted, 0 in the generation cache; 24 answered in 6.0 s" in text
    assert "about 44 s for the rest" in text
    assert "summaries" not in text


def test_as_many_texts_are_counted_as_will_be_written_for_each_response(data: Path) -> None:
    found = Teacher().estimate(recipe("generate.rationale_samples=3"), data)
    assert "rationales: 600 wanted" in found.times[1]
    assert len(set(found.prompts)) == 3  # not the same one with another seed


def test_of_reasons_that_no_teacher_writes_none_is_asked_for(data: Path) -> None:
    teacher = Teacher()
    found = teacher.estimate(recipe("generate.rationales=template"), data)
    assert list(teacher.asked) == ["queries, probe"] and len(found.prompts) == 3
    assert found.times[1] == "rationales: made of what the catalogue says, so no teacher is asked"


def test_the_summaries_that_the_stage_will_ask_for_are_counted(data: Path) -> None:
    config = recipe(
        "allmrec.summarise=true", "allmrec.items.text=title+description", "allmrec.items.max_tokens=3",
        "allmrec.domains=[movies, books]", "retrieval.embedder=counts words",
    )  # fmt: skip
    teacher = Teacher()
    found = teacher.estimate(config, data)
    catalogue = load_catalogue(data / "items.parquet")
    for domain, line in zip(("books", "movies"), found.times[2:4], strict=True):
        items, stage = DomainData(domain, catalogue.of(domain), embedder="counts words"), Teacher()
        item_texts(items, config, data / "x.sqlite", stage)
        (wanted,) = stage.asked.values()
        assert f"summaries of {domain}: {len(wanted):,} wanted" in line
        probe = teacher.asked[f"summaries of {domain}, probe"]
        assert len(probe) == min(24, len(wanted)) > 0 and set(probe) <= set(wanted)
    assert found.times[4:] == [
        "summaries: asked for with --until allmrec_items alone, as allmrec.enabled is false"
    ]
