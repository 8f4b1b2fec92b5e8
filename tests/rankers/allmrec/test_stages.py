"""The stages `allmrec_items` and `allmrec_llm`: trained beside what `fit` chose, compared, and taken."""

from __future__ import annotations

from pathlib import Path

import pytest

from rectune.core.artifacts import MANIFEST
from rectune.core.catalogue import load_catalogue
from rectune.core.errors import UserError
from rectune.core.figures.allmrec import AllmrecItemsFigures, AllmrecLlmFigures, TextLengths
from rectune.core.figures.fit import HISTORY_LENGTHS
from rectune.core.rows import read_rows
from rectune.core.types import Provenance
from rectune.evaluation.systems import EvalContext
from rectune.inference.requests import GenerationResult
from rectune.rankers.allmrec import items_stage, llm_stage
from rectune.rankers.allmrec.items_ranker import AllmrecItems
from rectune.rankers.allmrec.summaries import Summary
from rectune.rankers.chosen import ChosenRanker
from rectune.rankers.stage import choice_folder, chosen_path
from rectune.recommender.run_results import fit_of
from rectune.retrieval.index import open_index
from tests.core.filled import write_stage
from tests.rankers.allmrec.stage_world import ITEMS, LIKES, USERS, recipe, write_stages

pytestmark = pytest.mark.slow  # half a minute of processor time

BOTH = "allmrec.forms=[llmsrec, allmrec]"
FEW = "allmrec.num_candidates=4"


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return write_stages(tmp_path_factory.mktemp("allmrec"))


def made(inputs: dict[str, Path], stage: str, name: str = "key") -> Path:
    folder = inputs["fit"].parents[1] / stage / name
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.fixture(scope="module")
def items(inputs: dict[str, Path]) -> AllmrecItemsFigures:
    inputs["allmrec_items"] = made(inputs, "allmrec_items")
    return items_stage.run(recipe(), inputs, inputs["allmrec_items"])


@pytest.fixture(scope="module")
def llm(inputs: dict[str, Path], items: AllmrecItemsFigures) -> AllmrecLlmFigures:
    inputs["allmrec_llm"] = made(inputs, "allmrec_llm")
    before = contents(inputs["fit"])
    figures = llm_stage.run(recipe(BOTH, FEW), inputs, inputs["allmrec_llm"])
    assert contents(inputs["fit"]) == before  # what is linked is not changed
    return figures


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_stage_1_is_trained_without_the_users_that_fit_chose_on(
    inputs: dict[str, Path], items: AllmrecItemsFigures
):
    assert list(items.domains) == ["movies"] and items.recommender == "sasrec"
    movies = items.domains["movies"]
    assert (movies.items, movies.validation_users, movies.users) == (ITEMS, USERS // 5, USERS * 4 // 5)
    ranker = AllmrecItems.load(items_stage.items_path(inputs["allmrec_items"], "movies"))
    assert ranker.joint is not None and ranker.counts.sum() == LIKES * USERS * 4 // 5
    assert set(movies.losses) == {
        "recommendation", "matching", "item_reconstruction", "text_reconstruction"
    }  # fmt: skip
    again = items_stage.run(recipe(), inputs, made(inputs, "allmrec_items", "other"))
    assert (again.made, again.reused) == (0, 2) and again.domains == items.domains


def test_texts_that_are_too_long_are_cut_or_summarised_and_counted(inputs: dict[str, Path]):
    def ask(requests, config, generation_cache: Path, label: str):
        by = Provenance("teacher", "", "{}", 0, "test")
        words = [one.facts.split() for one in requests]
        answers = [f"{one[1]} {one[0]}" if one[2].endswith("1") else one[0] for one in words]
        return {
            one.id: (GenerationResult(one.id, text, "stop", 9, 9), by)
            for one, text in zip(requests, answers, strict=True)
        }

    long = ("allmrec.items.text=title", "allmrec.items.max_tokens=2", "allmrec.items.num_train_epochs=1")
    cut = items_stage.run(recipe(*long), inputs, made(inputs, "allmrec_items", "cut"), ask)
    assert cut.domains["movies"].texts == TextLengths(cut=ITEMS, summarised=0, unsupported=0, failed=0)
    place = made(inputs, "allmrec_items", "short")
    short = items_stage.run(recipe(*long, "allmrec.summarise=true"), inputs, place, ask)
    ends = sum(str(number).endswith("1") for number in range(ITEMS))  # of others one word is too little
    expected = TextLengths(cut=ITEMS - ends, summarised=ends, unsupported=ITEMS - ends, failed=0)
    assert short.domains["movies"].texts == expected and short.made == 1
    rows = read_rows(place / "summaries.parquet", Summary)
    assert len(rows) == ITEMS and {one.text for one in rows if not one.fault} == {"1 block"}


def test_a_loss_of_stage_1_can_be_switched_off(inputs: dict[str, Path], items: AllmrecItemsFigures):
    off = recipe("allmrec.items.losses.matching=0", "allmrec.items.losses.recommendation=0")
    found = items_stage.run(off, inputs, made(inputs, "allmrec_items", "off"))
    assert set(found.domains["movies"].losses) == {"item_reconstruction", "text_reconstruction"}


def test_what_surely_ranks_better_ranks_and_all_else_stays(inputs: dict[str, Path], llm: AllmrecLlmFigures):
    before, after = (chosen_path(inputs[stage], "movies") for stage in ("fit", "allmrec_llm"))
    was, now = ChosenRanker.load(before), ChosenRanker.load(after)
    assert list(now.rankers) == ["popularity", "bm25", "allmrec_items", "llmsrec", "allmrec"]
    histories = llm.domains["movies"].histories
    assert not histories["0"].taken and histories["5+"].taken  # who comes with nothing cannot be known
    for length in HISTORY_LENGTHS:
        chosen = now.choice.histories[length].chosen
        assert chosen == histories[length].chosen
        assert histories[length].before == was.choice.histories[length].chosen
        if not histories[length].taken:
            assert now.choice.histories[length] == was.choice.histories[length]
    assert now.choice.histories["5+"].measured is not None
    assert set(now.weights_for([f"m{2 * n}" for n in range(5)]).weights) - {"popularity"}
    assert now.choice.queries == was.choice.queries
    (best,) = now.top([[f"m{2 * n}" for n in range(5)]], 1)
    assert best[0].item_id == "m10"


def test_the_stage_leaves_what_fit_leaves(inputs: dict[str, Path], llm: AllmrecLlmFigures):
    assert choice_folder(inputs) == inputs["allmrec_llm"]
    assert choice_folder({"fit": inputs["fit"]}) == inputs["fit"]
    assert open_index(inputs["allmrec_llm"] / "index").items == 2 * ITEMS
    books = [chosen_path(inputs[stage], "books") for stage in ("fit", "allmrec_llm")]
    assert contents(books[0]) == contents(books[1])
    assert ChosenRanker.load(books[1]).choice.domain == "books"


def test_the_record_proves_what_is_frozen_and_what_was_trained(
    inputs: dict[str, Path], llm: AllmrecLlmFigures
):
    trained = llm.domains["movies"].trained
    assert list(trained) == ["llmsrec", "allmrec"] and (llm.processes, llm.tuned) == (1, False)
    assert len({one.model_digest for one in trained.values()}) == 1 and trained["allmrec"].model_digest
    items = AllmrecItems.load(items_stage.items_path(inputs["allmrec_items"], "movies"))
    assert {one.items_digest for one in trained.values()} == {items.joint.digest()}
    for one in trained.values():
        assert one.cases == 60 and one.steps > 0 and one.changed["projections.item"] > 0.9
        assert one.loss < one.loss_before
    assert set(trained["llmsrec"].changed) == {
        "projections.item", "out", "user", "item", "recommender", "scale"
    }  # fmt: skip


def test_what_was_trained_is_found_again_and_one_form_more_trains_that_one_alone(
    inputs: dict[str, Path], llm: AllmrecLlmFigures
):
    again = llm_stage.run(recipe(BOTH, FEW), inputs, made(inputs, "allmrec_llm", "other"))
    assert again.made == 0 and again.domains == llm.domains


def test_beside_another_stage_1_everything_is_trained_again(inputs: dict[str, Path], llm: AllmrecLlmFigures):
    changed = ("allmrec.items.losses.matching=0", FEW)
    there = {**inputs, "allmrec_items": made(inputs, "allmrec_items", "unmatched")}
    items_stage.run(recipe(*changed), there, there["allmrec_items"])
    found = llm_stage.run(recipe(*changed), there, made(inputs, "allmrec_llm", "unmatched"))
    assert found.made == 1
    own = found.domains["movies"].trained["llmsrec"]
    assert own.items_digest != llm.domains["movies"].trained["llmsrec"].items_digest


def test_without_validation_users_nothing_is_taken(inputs: dict[str, Path], llm: AllmrecLlmFigures):
    found = llm_stage.run(recipe("allmrec.users=0"), inputs, made(inputs, "allmrec_llm", "none"))
    assert not any(one.taken for one in found.domains["movies"].histories.values())
    now = ChosenRanker.load(chosen_path(made(inputs, "allmrec_llm", "none"), "movies"))
    assert now.choice == ChosenRanker.load(chosen_path(inputs["fit"], "movies")).choice
    assert "llmsrec" in now.rankers


def test_a_domain_that_is_not_there_is_refused(inputs: dict[str, Path]):
    with pytest.raises(UserError, match="no domain music"):
        items_stage.run(recipe("allmrec.domains=[music]"), inputs, made(inputs, "allmrec_items", "none"))


def test_evaluation_and_services_read_the_last_choice(inputs: dict[str, Path], llm: AllmrecLlmFigures):
    catalogue = load_catalogue(inputs["data"] / "items.parquet")
    write_stage(inputs["allmrec_llm"], llm, inputs={"data": "key", "fit": "key"})
    (inputs["fit"] / MANIFEST).write_text('{"inputs": {"data": "key"}}')
    asked = EvalContext(recipe(), inputs, catalogue, [])
    assert asked.added("movies") == ["allmrec_items", "llmsrec", "allmrec"] and asked.added("books") == []
    assert (
        asked.fitted("movies").choice.histories["5+"].chosen == llm.domains["movies"].histories["5+"].chosen
    )
    without = EvalContext(recipe(), {n: f for n, f in inputs.items() if n != "allmrec_llm"}, catalogue, [])
    assert without.added("movies") == [] and list(without.fitted("movies").rankers) == ["popularity", "bm25"]

    def find(stage: str) -> Path:
        return inputs[stage]

    assert fit_of(inputs["data"], find) == inputs["fit"]
    assert fit_of(inputs["data"], find, allmrec=True) == inputs["allmrec_llm"]
    (inputs["allmrec_llm"] / MANIFEST).write_text('{"inputs": {"data": "key", "fit": "another"}}')
    assert fit_of(inputs["data"], find, allmrec=True) == inputs["fit"]
