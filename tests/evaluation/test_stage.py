from collections.abc import Sequence
from pathlib import Path

import pytest

from rectune.core.catalogue import load_catalogue
from rectune.core.figures.evaluation import EvalFigures, EvalMetrics, Memorisation
from rectune.core.figures.grounding import SamplePrompt
from rectune.core.figures.read_records import read_figures, read_listed, read_record
from rectune.core.recipe import Recipe, load_recipe
from rectune.core.rows import read_rows
from rectune.core.settings import EvaluateConfig, RetrievalConfig, SamplingConfig
from rectune.core.types import Case, Prompt, Ranking
from rectune.evaluation.sample_answers import choose
from rectune.evaluation.stage import evaluate
from rectune.evaluation.systems import EvalContext
from rectune.inference.requests import GenerationRequest, GenerationResult
from rectune.rankers import stage as fit_stage
from rectune.rankers.likelihood import NEUTRAL
from tests.rankers.world import KITCHEN, SPACE, write_world

RANKERS = ["random", "popularity", "embedding_best"]
SYSTEMS = [*RANKERS, "base", "sft", "dpo"]
WAYS = ["total", "prior", "fused", "continuation", "continuation_hybrid", "parsed", "retrieved", "listed"]


class Engine:
    """Stands in for llama.cpp: `export` knows the user's taste, `base` nothing, `candidates` the contrary."""

    scored: list[str] = []  # noqa: RUF012
    dies_after = 10_000

    def __init__(self, model: Path, engine: EvaluateConfig) -> None:
        self.taste = {"export": 1.0, "base": 0.0, "candidates": -1.0}[model.parent.name]

    def __enter__(self) -> "Engine":
        return self

    def __exit__(self, *error: object) -> None:
        return None

    def loglikelihood(self, messages, continuations: Sequence[str], prefill: str = "") -> list[list[float]]:
        if len(self.scored) >= self.dies_after:
            raise RuntimeError("killed")
        self.scored.append(messages[1][1])
        if messages[1][1] == NEUTRAL["en"]:
            return [[0.0] for _ in continuations]
        half = SPACE if SPACE[0] in messages[1][1] else KITCHEN
        return [[self.taste if text.strip() in half else 0.0] for text in continuations]


def write(
    model: Path, requests: Sequence[GenerationRequest], engine, generation_cache: Path, label: str
) -> list[GenerationResult]:
    words = {
        "export": "My recommendation: The Space Station",
        "base": "",
        "candidates": "Something with cakes",
    }
    return [GenerationResult(request.id, words[model.parent.name], "stop", 1, 1) for request in requests]


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Path]:
    monkeypatch.setattr(Engine, "scored", [])
    monkeypatch.setattr(Engine, "dies_after", 10_000)
    models = {name: tmp_path / name for name in ("base", "candidates", "export")}
    inputs = {**write_world(tmp_path), **models, "fit": tmp_path / "fit" / "key"}
    inputs["fit"].mkdir(parents=True)
    few = load_recipe(Path("tiny"), ["fit.rankers=[popularity, bm25, item_knn]"])
    fit_stage.run(few, inputs, inputs["fit"])
    return inputs


def run(config: Recipe, inputs: dict[str, Path], out: Path) -> EvalFigures:
    """The stage with stand-ins for language models."""
    cases = read_rows(inputs["data"] / "cases.parquet", Case)
    catalogue = load_catalogue(inputs["data"] / "items.parquet")
    return evaluate(EvalContext(config, inputs, catalogue, cases, generate=write, open_engine=Engine), out)


@pytest.fixture
def out(tmp_path: Path) -> Path:
    folder = tmp_path / "runs" / "eval" / "k.partial"
    folder.mkdir(parents=True)
    return folder


# What a test does not ask for is not measured.
FEW = {"bootstrap": 50, "scoring_methods": [], "protocols": [], "tuning": 0, "memorisation": 0, "answers": 0}


def config(count: int = 3, **changes) -> Recipe:
    evaluate = EvaluateConfig(systems=SYSTEMS, samples=count, **(FEW | changes))
    return Recipe.model_construct(evaluate=evaluate, retrieval=RetrievalConfig(sampling=SamplingConfig()))


def test_every_system_ranks_the_same_candidates_and_known_tastes_give_known_figures(world, out: Path):
    stats = run(config(), world, out)
    assert (stats.rows_in, stats.rows_out) == (4, 4)
    hits = stats.hit_at_1
    # Popularity sees only train users: item 7 leads the kitchen side, and items 0 to 3 the other.
    assert [hits[name] for name in SYSTEMS[1:]] == [0.0, 1.0, 0.0, 0.0, 1.0]
    figures = read_figures(EvalMetrics, out)
    assert figures.systems["popularity"].mrr == pytest.approx((1 / 2 + 1 / 5) / 2)
    assert figures.systems["base"].mrr == figures.systems["sft"].mrr == pytest.approx(1 / 5)
    rankings = read_rows(out / "rankings.parquet", Ranking)
    cases = read_rows(world["data"] / "cases.parquet", Case)
    shown = {frozenset(case.candidates) for case in cases if case.split == "test"}
    assert {frozenset(ranking.items) for ranking in rankings} == shown
    assert len({(r.system, r.prompt_id) for r in rankings}) == len(rankings) == 4 * len(SYSTEMS)
    won = {(row.system, row.against): row.won for row in figures.pairs}
    assert won["dpo", "sft"] == won["dpo", "popularity"] == 4 and won["sft", "base"] == 0


def test_every_way_and_protocol_is_measured_as_far_as_it_goes(world, out: Path):
    settings = {
        "scoring_methods": WAYS,
        "protocols": ["uniform", "full"],
        "num_candidate_draws": 2,
        "num_model_draws": 1,
    }
    run(config(**settings, tuning=2, memorisation=1), world, out)
    figures = read_figures(EvalMetrics, out)
    models = [
        name
        for model in ("base", "sft", "dpo")
        for name in (model, *(f"{model}/{method}" for method in WAYS))
    ]
    assert list(figures.systems) == [*RANKERS, *models]
    hits = {name: entry.hit_at_1 for name, entry in figures.systems.items()}
    assert hits["dpo/total"] == hits["dpo/prior"] == hits["dpo/fused"] == 1.0
    assert hits["dpo/parsed"] == 0.5 and hits["base/parsed"] == 0.0  # it names The Space Station to everybody
    uniform, full = (figures.protocols[name] for name in ("uniform", "full"))
    assert uniform.systems["dpo"].draws == 1 and uniform.systems["popularity"].draws == 2
    assert "dpo" not in full.systems and "dpo/retrieved" in full.systems and full.candidates == 8
    assert figures.weights["dpo"].cases == 2 and set(figures.position) == {
        f"{m}/listed" for m in ("base", "sft", "dpo")
    }
    found = read_record(Memorisation, "eval", out / "memorisation.json")
    assert found == figures.memorisation and found.next_item.n == 2


def test_samples_show_what_each_model_wrote_and_what_it_resolves_to(world, out: Path):
    stats = run(config(), world, out)
    found = read_listed(SamplePrompt, out)
    assert [(sample.domain, sample.scenario) for sample in found][:3] == [
        ("books", "passive"), ("movies", "passive"), ("books", "active"),
    ]  # fmt: skip
    assert len(found) == 3
    base, sft, dpo = found[0].answers
    assert (base.text, base.item, base.how) == ("", "", "")
    assert (sft.how, sft.item in KITCHEN) == ("embedding", True)
    assert (dpo.item, dpo.how, dpo.hit) == (
        "The Space Station",
        "title",
        found[0].target == "The Space Station",
    )
    assert stats.grounded_by["dpo"] == {"title": 1.0}


def test_an_interrupted_attempt_goes_on_and_scores_nothing_twice(
    world, out: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(Engine, "dies_after", 3)  # in the second model; both domains ask the same here
    with pytest.raises(RuntimeError, match="killed"):
        run(config(), world, out)
    monkeypatch.setattr(Engine, "dies_after", 10_000)
    run(config(), world, out)
    assert len(Engine.scored) == 3 * 2
    again = len(Engine.scored)
    run(config(), world, out)
    assert len(Engine.scored) == again
    assert len(read_rows(out / "rankings.parquet", Ranking)) == 4 * len(SYSTEMS)


def test_samples_take_domains_in_turn(world):
    prompts = read_rows(world["queries"] / "prompts.parquet", Prompt)
    kinds = [(p.domain, p.scenario) for p in choose(prompts, 99)]
    assert kinds[:4] == [
        ("books", "passive"),
        ("movies", "passive"),
        ("books", "active"),
        ("movies", "active"),
    ]
    assert len(kinds) == len({p.id for p in choose(prompts, 99)}) == 8
    assert choose(prompts, 0) == []
