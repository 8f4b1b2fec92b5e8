"""Plans: from keys alone, blocked stages say what they wait for, and a change is told from a warning."""

from pathlib import Path

import pytest

from rectune.core.artifacts import ArtifactStore
from rectune.core.errors import UserError
from rectune.core.recipe import Recipe, load_recipe
from rectune.pipeline.console import plan_table
from rectune.pipeline.plan import make_plan
from rectune.pipeline.stages import STAGES, find_stage, needed_for

ROOT = Path(__file__).parents[2]


def recipe(*overrides: str) -> Recipe:
    return load_recipe(ROOT / "recipes/tiny.yaml", [f"data.root={ROOT / 'samples'}", *overrides])


def keys(store: ArtifactStore, *overrides: str) -> dict[str, str]:
    return {step.stage.name: step.key for step in make_plan(recipe(*overrides), store, "push")}


def test_the_table_is_in_order_and_its_functions_and_sections_exist() -> None:
    names = [stage.name for stage in STAGES]
    for place, stage in enumerate(STAGES):
        assert set(stage.inputs) <= set(names[:place])
        assert set(stage.sections) <= set(Recipe.model_fields)
        module, _, function = stage.function.partition(":")
        source = (ROOT / f"{module.replace('.', '/')}.py").read_text()
        assert f"def {function}(" in source


def test_only_what_is_needed_is_planned() -> None:
    assert [stage.name for stage in needed_for("filter")] == [
        "data",
        "base",
        "queries",
        "rationales",
        "filter",
    ]
    with pytest.raises(UserError, match="did you mean filter"):
        find_stage("filer")


def changed(store: ArtifactStore, *overrides: str) -> set[str]:
    before, after = keys(store), keys(store, *overrides)
    return {name for name in before if before[name] != after[name]}


def test_a_setting_changes_its_stage_and_all_after_it_and_nothing_before(tmp_path: Path) -> None:
    store = ArtifactStore(tmp_path)
    everything = {stage.name for stage in needed_for("push")}
    before = {"data", "base", "queries", "fit", "rationales"}
    assert changed(store, "filter.threshold=12") == everything - before
    assert changed(store, "fit.users=5") == {"fit", "rerank", "recommend", "eval", "report", "push"}
    assert changed(store, "evaluate.seed=1") == {"eval", "report", "push"}
    assert changed(store, "data.seed=1") == everything - {"base"}


def test_a_runtime_only_setting_changes_nothing(tmp_path: Path) -> None:
    assert changed(ArtifactStore(tmp_path), "train.logging_steps=2", "generate.max_num_seqs=2") == set()


def test_raw_files_are_in_the_key_by_content(tmp_path: Path) -> None:
    root = tmp_path / "raw" / "movielens"
    root.mkdir(parents=True)
    for name in ("movies.csv", "ratings.csv"):
        (root / name).write_bytes((ROOT / "samples/movielens" / name).read_bytes())
    store, only = (
        ArtifactStore(tmp_path / "runs"),
        ("data.datasets=[movielens]", f"data.root={tmp_path / 'raw'}"),
    )
    before = keys(store, *only)["data"]
    with (root / "ratings.csv").open("a") as file:
        file.write("1,300001,4.0,1700000000\n")
    assert keys(store, *only)["data"] != before


def test_an_embedder_in_a_folder_is_in_the_key_by_content(tmp_path: Path) -> None:
    folder, store = tmp_path / "embedder", ArtifactStore(tmp_path / "runs")
    folder.mkdir()
    (folder / "weights").write_text("one")
    named = f"retrieval.embedder={folder}"
    before = keys(store, named)
    (folder / "weights").write_text("two")
    after = keys(store, named)
    changed = {name for name in before if before[name] != after[name]}
    assert changed == {"fit", "rerank", "recommend", "eval", "report", "push"}


def test_what_is_missing_blocks_what_comes_after_and_says_so(tmp_path: Path) -> None:
    steps = {
        s.stage.name: s
        for s in make_plan(recipe(f"data.root={tmp_path}"), ArtifactStore(tmp_path / "runs"), "sft")
    }
    assert steps["data"].state == "blocked" and "no such folder" in steps["data"].why
    assert steps["base"].state == "missing"
    assert steps["sft"].why == "waits for data, filter"
    last = plan_table(list(steps.values())).splitlines()[-1]
    assert last.startswith("cannot run: data: ") and "no such folder" in last
    assert last.endswith("4 more stages wait for it")
    sound = [step for step in steps.values() if step.state != "blocked"]
    assert not any(line.startswith("cannot run") for line in plan_table(sound).splitlines())


@pytest.mark.parametrize("stage", ["fit", "held_out_ratings", "leave_last_out", "random_split"])
def test_an_embedder_that_is_replaced_in_its_folder_is_another_one(tmp_path: Path, stage: str) -> None:
    folder, found = tmp_path / "embedder", []
    folder.mkdir()
    for weights in (b"one", b"other", b"one"):
        (folder / "weights").write_bytes(weights)
        own = recipe(f"retrieval.embedder={folder}")
        found.append(make_plan(own, ArtifactStore(tmp_path / "runs"), stage)[-1].key)
    assert found[0] == found[2] != found[1]


def test_nobody_is_told_that_a_run_would_push(tmp_path: Path) -> None:
    lines = plan_table(make_plan(recipe(), ArtifactStore(tmp_path / "runs"), "push")).splitlines()
    assert lines[-1].split()[:3] == ["push", "on", "request"]


def test_the_columns_of_the_table_line_up_whatever_the_stages_are_called(tmp_path: Path) -> None:
    steps = make_plan(recipe("allmrec.enabled=true"), ArtifactStore(tmp_path), "report")
    head, *lines = plan_table(steps).splitlines()
    for column in ("what", "key", "why"):
        at = head.index(column)
        assert {line[at - 1] for line in lines} == {" "} and " " not in {line[at] for line in lines}


def test_the_full_scale_recipe_plans_without_its_data(tmp_path: Path) -> None:
    steps = make_plan(load_recipe(ROOT / "recipes/varco.yaml"), ArtifactStore(tmp_path), "push")
    # On request, or where it is switched on: nothing else needs them.
    apart = {"leave_last_out", "held_out_ratings", "random_split", "allmrec_items", "allmrec_llm"}
    assert [step.stage.name for step in steps] == [one.name for one in STAGES if one.name not in apart]
