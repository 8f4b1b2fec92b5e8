"""Did DPO help: figures of answers whose worth is known, their differences, and the files for a blind
comparison.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from rectune.align.comparison import read_comparison
from rectune.core.catalogue import load_catalogue
from rectune.core.figures.evaluation import AnswerComparison, AnswerMeans
from rectune.core.figures.read_records import read_record
from rectune.core.figures.record import MeanInterval
from rectune.core.recipe import Recipe
from rectune.core.rows import read_rows
from rectune.core.settings import EngineConfig, EvaluateConfig, RetrievalConfig, SamplingConfig
from rectune.core.types import Candidate, Case, Prompt, Provenance
from rectune.evaluation.answers import FIGURES, compare_answers
from rectune.evaluation.systems import EvalContext
from rectune.inference.requests import GenerationRequest, GenerationResult
from rectune.retrieval.grounding import Grounding
from rectune.retrieval.index import build_index
from tests.rankers.world import write_world

Writer = Callable[[str], str]

GOOD = "You like stories about space travel. My recommendation: The Space Station"
WILD = "The committee meets in March to discuss the budget. again and again and again and again and again"


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("world")
    inputs = write_world(root) | {name: root / name for name in ("base", "candidates", "export")}
    items = list(load_catalogue(inputs["data"] / "items.parquet").items.values())
    build_index(items, root / "index", "embedded")
    return inputs | {"index": root / "index"}


@pytest.fixture
def compare(
    world: dict[str, Path], tmp_path: Path
) -> Callable[[Writer, Writer, int], AnswerComparison | None]:
    """Compares two models, each a function from the instruction to the answer."""
    out = tmp_path / "runs" / "eval" / "k.partial"
    out.mkdir(parents=True)
    catalogue = load_catalogue(world["data"] / "items.parquet")
    items = list(catalogue.items.values())
    grounding = Grounding(items, build_index(items, world["index"], "embedded"))
    prompts = read_rows(world["queries"] / "prompts.parquet", Prompt)
    cases = read_rows(world["data"] / "cases.parquet", Case)

    def run(sft: Writer, dpo: Writer, count: int = 99) -> AnswerComparison | None:
        def write(
            model: Path,
            requests: Sequence[GenerationRequest],
            engine: EngineConfig,
            generation_cache: Path,
            label: str,
        ) -> list[GenerationResult]:
            writer = {"base": lambda _: "", "candidates": sft, "export": dpo}[model.parent.name]
            return [GenerationResult(r.id, writer(r.messages[-1][1]), "stop", 1, 1) for r in requests]

        evaluate = EvaluateConfig(systems=["sft", "dpo"], answers=count, bootstrap=200)
        config = Recipe.model_construct(
            evaluate=evaluate, retrieval=RetrievalConfig(sampling=SamplingConfig())
        )
        origin = Provenance("m", "Q8_0", "{}", 0, "e")
        context = EvalContext(config, world, catalogue, cases, generate=write, provenance=lambda *_: origin)
        return compare_answers(prompts, context, grounding, out)

    run.out = out  # type: ignore[attr-defined]
    return run


def test_a_better_model_is_seen_to_be_better_with_an_interval(compare) -> None:  # type: ignore[no-untyped-def]
    found = compare(lambda _: WILD, lambda _: GOOD)
    assert (found.prompts, found.users) == (8, 4)
    sft, dpo, gap = found.systems["sft"], found.systems["dpo"], found.difference
    assert set(found.figures) == set(gap.by_json_name()) and set(FIGURES) == set(AnswerMeans.model_fields)
    assert (sft.hit_at_1.mean, dpo.hit_at_1.mean) == (
        0.0,
        0.5,
    )  # half of the users want the space station
    assert (sft.grounded.mean, dpo.grounded.mean) == (0.0, 1.0)
    assert gap.grounded == MeanInterval(mean=1.0, low=1.0, high=1.0)
    assert 0 <= gap.hit_at_1.low < 0.5 < gap.hit_at_1.high <= 1
    assert sft.repetition.mean > 0.3 and gap.repetition.high < 0
    assert sft.off_topic.mean > 0.4 and dpo.off_topic.mean < sft.off_topic.mean
    assert (sft.how, dpo.how) == ({"embedding": 1.0}, {"title": 1.0})


def test_equal_models_do_not_differ(compare) -> None:  # type: ignore[no-untyped-def]
    found = compare(lambda text: GOOD + text, lambda text: GOOD + text)
    assert {(one.mean, one.low, one.high) for _, one in found.difference} == {(0.0, 0.0, 0.0)}


def test_what_is_written_is_what_a_blind_comparison_reads(compare, world: dict[str, Path]) -> None:  # type: ignore[no-untyped-def]
    found = compare(lambda text: f"Maybe {len(text)}.", lambda _: GOOD, 3)
    assert read_record(AnswerComparison, "eval", compare.out / "answers.json") == found
    assert {len(read_rows(compare.out / f"answers.{s}.parquet", Candidate)) for s in ("sft", "dpo")} == {3}
    comparison = read_comparison(world["queries"] / "prompts.parquet", compare.out, ("sft", "dpo"))
    assert (len(comparison.tasks), comparison.same) == (3, ())
    assert comparison.tasks[0].answers[1] == GOOD


def test_empty_answers_count_against_a_model_and_break_nothing(compare) -> None:  # type: ignore[no-untyped-def]
    found = compare(lambda _: "", lambda _: "  ")
    assert found.systems["dpo"].grounded.mean == 0.0
    assert found.systems["dpo"].how == {"nothing": 1.0}


def test_nothing_is_asked_where_nothing_is_wanted(compare) -> None:  # type: ignore[no-untyped-def]
    assert compare(lambda _: "", lambda _: "", 0) is None
    assert not list(compare.out.iterdir())
