"""Both stages of A-LLMRec on the tiny recipe, through the real command line; and where plans have them."""

from __future__ import annotations

from pathlib import Path

import pytest

from rectune.core.artifacts import ArtifactStore
from rectune.core.errors import UserError
from rectune.core.figures import AllmrecItemsFigures, AllmrecLlmFigures
from rectune.core.figures.read_records import read_figures
from rectune.core.recipe import load_recipe
from rectune.pipeline.external_inputs import item_texts
from rectune.pipeline.plan import make_plan
from rectune.pipeline.stages import STAGES, needed_for
from rectune.rankers.chosen import ChosenRanker
from rectune.rankers.stage import chosen_path
from tests.pipeline.test_tiny import rectune

TINY = Path("tiny")
SMALL = (
    "data.datasets=[movielens]", "fit.rankers=[popularity,bm25]", "fit.users=40",
    "prompts.scenarios={passive: 1}", "allmrec.enabled=true", "allmrec.forms=[llmsrec,allmrec]",
    "allmrec.cases=16", "allmrec.num_train_epochs=1", "allmrec.num_candidates=4",
)  # fmt: skip
CHOSEN = {"rerank", "recommend", "eval", "report"}  # what reads the choice


def planned(store: ArtifactStore, last: str, *overrides: str) -> dict[str, str]:
    return {step.stage.name: step.key for step in make_plan(load_recipe(TINY, overrides), store, last)}


def test_the_stages_are_made_on_request_or_where_they_are_switched_on(tmp_path: Path) -> None:
    store = ArtifactStore(tmp_path)
    off, on = (planned(store, "report", f"allmrec.enabled={word}") for word in ("false", "true"))
    assert set(on) - set(off) == {"allmrec_items", "allmrec_llm"}
    assert {name for name in off if off[name] != on[name]} == CHOSEN
    assert list(planned(store, "allmrec_llm"))[-2:] == ["allmrec_items", "allmrec_llm"]
    assert planned(store, "allmrec_llm")["allmrec_llm"] == on["allmrec_llm"]
    order = [stage.name for stage in STAGES]
    assert [order.index(name) for name in on] == sorted(order.index(name) for name in on)


def test_the_language_model_says_which_stages_are_needed(tmp_path: Path) -> None:
    def needed(model: str) -> set[str]:
        recipe = load_recipe(TINY, [f"allmrec.model={model}"])
        return {stage.name for stage in needed_for("allmrec_llm", recipe)}

    assert needed("sft") - needed("base") == {"sft", "filter", "rationales"}
    (row,) = [stage for stage in STAGES if stage.name == "allmrec_llm"]
    for model, stages in {"base": {"base"}, "sft": {"base", "sft"}, "tiny": set()}.items():
        recipe = load_recipe(TINY, [f"allmrec.model={model}"])
        assert set(row.inputs_for(recipe)) - set(row.inputs) == stages


def test_what_changes_a_result_is_in_the_key(tmp_path: Path) -> None:
    store = ArtifactStore(tmp_path)
    before = planned(store, "allmrec_llm")
    for same in ("allmrec.enabled=true", "allmrec.save_seconds=1", "allmrec.max_loss_ratio=0"):
        assert planned(store, "allmrec_llm", same) == before
    for other in ("allmrec.cases=3", "allmrec.processes=2", "allmrec.model=tiny"):
        assert planned(store, "allmrec_llm", other)["allmrec_llm"] != before["allmrec_llm"], other


def test_the_teachers_are_an_input_of_stage_1_where_they_summarise(tmp_path: Path) -> None:
    store, on = ArtifactStore(tmp_path), "allmrec.summarise=true"
    keys = [
        planned(store, "allmrec_items", *given)["allmrec_items"]
        for given in ((), (on,), ("allmrec.items.max_tokens=9",), (on, "allmrec.items.max_tokens=9"))
    ]
    assert len(set(keys)) == 4
    outside = [item_texts(load_recipe(TINY, given), store, {}) for given in ([], [on])]
    assert not outside[0] and list(outside[1]) == ["teacher embedded"] and outside[1]["teacher embedded"]


@pytest.mark.parametrize(
    ("override", "says"),
    [
        ("allmrec.zero_stage=3", "not partitioned"),
        ("allmrec.recommender=bert4rec", "positions"),
        ("allmrec.machines=2", "host:port"),
        ("allmrec.per_device_train_batch_size={allmrec: 2}", "no number for llmsrec"),
        ("allmrec.items.losses={recommendation: 0, matching: 0, item_reconstruction: 0, "
         "text_reconstruction: 0}", "switched off"),
    ],
)  # fmt: skip
def test_settings_that_cannot_be_are_refused(override: str, says: str) -> None:
    with pytest.raises(UserError, match=says):
        load_recipe(TINY, [override])


@pytest.mark.slow
def test_both_stages_run_and_what_they_chose_is_recommended(tmp_path: Path) -> None:
    said = rectune(tmp_path, "run", "tiny", *SMALL, "--until", "allmrec_llm")
    assert "allmrec_items" in said and "frozen" in said
    store = ArtifactStore(tmp_path)
    items = read_figures(AllmrecItemsFigures, store.resolve("tiny", "allmrec_items"))
    assert items.domains["movies"].validation_users > 0
    folder = store.resolve("tiny", "allmrec_llm")
    figures = read_figures(AllmrecLlmFigures, folder)
    assert figures.model == "tiny" and set(figures.domains["movies"].trained) == {"llmsrec", "allmrec"}
    assert all(one.changed["projections.item"] > 0 for one in figures.domains["movies"].trained.values())
    ranker = ChosenRanker.load(chosen_path(folder, "movies"))
    history = ranker.item_ids[:6]
    for name in ("allmrec_items", "llmsrec", "allmrec"):
        assert len(ranker.rankers[name].top([history], 3)[0]) == 3
    again = rectune(tmp_path, "run", "tiny", *SMALL, "--until", "allmrec_llm")
    assert again.count("up to date") == 6
    asked = ("--recipe", "tiny", "--domain", "movies", "--user", "1", "--model", "none")
    assert "Evidence: " in rectune(tmp_path, "recommend", *SMALL, *asked)
    two = ("allmrec.processes=2", "allmrec.forms=[llmsrec]", "allmrec.model=tiny")
    rectune(tmp_path, "run", "tiny", *SMALL, *two, "--until", "allmrec_llm")
    together = read_figures(AllmrecLlmFigures, store.resolve("tiny", "allmrec_llm"))
    assert (together.processes, together.made > 0) == (2, True)
    assert together.domains["movies"].trained["llmsrec"].steps > 0
