"""The source of a stage: all files that it may depend on, and no others; a plan names what has changed."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from rectune.pipeline.source_digests import ROOT, reached, source_digests
from rectune.pipeline.stages import STAGES, find_stage
from rectune.rankers.base import RANKERS


def files(stage: str) -> set[str]:
    return set(source_digests(find_stage(stage).function.partition(":")[0]))


def test_a_stage_reaches_what_its_modules_import_inside_functions_too() -> None:
    found = reached("rectune.train.sft")
    assert {
        "rectune",
        "rectune.train",
        "rectune.train.rows",
        "rectune.models.chat_tokenization",
        "rectune.core.types",
    } <= found
    assert "rectune.train.sft_trainer" in found  # imported inside a function


def test_what_tables_name_by_string_is_reached() -> None:
    assert {name.partition(":")[0] for name in RANKERS.values()} <= reached("rectune.evaluation.stage")
    assert "rectune.readers.published.steam" in reached("rectune.datagen.build")


def test_what_is_imported_for_types_alone_is_not_reached() -> None:
    assert "import Recommendation\n" in (ROOT / "recommender" / "formatting.py").read_text()
    assert "rectune.retrieval.grounding" in reached("rectune.recommender.formatting")
    assert "rectune.recommender.generative" not in reached("rectune.recommender.formatting")


def test_no_stage_reaches_another_stage_or_what_runs_it() -> None:
    for stage in STAGES:
        own = stage.function.split(".")[1]
        others = {"datagen", "train", "align", "evaluation", "release", "pipeline", "cli"} - {own}
        assert not {path for path in files(stage.name) if path.split("/")[0] in others}


def test_data_files_belong_to_their_package() -> None:
    template = "prompts/templates/en/words.yaml"
    assert template in files("queries") and template not in files("base") | files("candidates")
    assert "evaluation/pages/style.css" in files("report")
    assert "release/templates/model_card.md.j2" in files("push")
    assert not [path for path in files("eval") if path.startswith(("recipes/", "samples/"))]


def test_every_digest_is_of_a_file_that_is_there() -> None:
    for stage in STAGES:
        assert all((ROOT / path).is_file() for path in files(stage.name))


PLAN = """
import sys
from pathlib import Path
from rectune.core.recipe import load_recipe
from rectune.core.artifacts import ArtifactStore
from rectune.pipeline.plan import make_plan, stage_source
from rectune.pipeline.console import plan_table
store, recipe = ArtifactStore(Path(sys.argv[1])), load_recipe(Path("tiny"))
for step in make_plan(recipe, store, "report"):
    if step.state == "missing":
        with store.work(step.stage.name, step.key):
            pass
        store.finish(step.stage.name, step.key, {"figures": {}, "source": stage_source(step.stage)})
print(plan_table(make_plan(recipe, store, "report")))
"""


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """A copy of the package that may be changed; its `plan` takes every stage for finished."""
    shutil.copytree(ROOT, tmp_path / "rectune", ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path / "rectune"


def planned(package: Path) -> dict[str, str]:
    """Stage -> the plan's line about it."""
    command = [sys.executable, "-c", PLAN, str(package.parent / "runs")]
    said = subprocess.run(command, cwd=package.parent, capture_output=True, text=True, check=True).stdout
    return {line.split()[0]: line for line in said.splitlines()[1:]}


def test_a_plan_names_the_changed_file_at_every_stage_that_it_touches_and_no_other(package: Path) -> None:
    assert not any("changed" in line for line in planned(package).values())
    with (package / "prompts" / "answers.py").open("a") as module:
        module.write("# changed\n")
    (package / "prompts" / "templates" / "en" / "extra.jinja").write_text("new")
    lines = planned(package)
    touched = {stage for stage, line in lines.items() if "its source changed" in line}
    assert touched == set(lines) - {"data", "base", "candidates", "dpo"}
    assert "prompts/answers.py, prompts/templates/en/extra.jinja" in lines["queries"]


def test_a_data_file_that_has_come_is_named_though_nothing_else_changed(package: Path) -> None:
    planned(package)
    (package / "prompts" / "templates" / "ko" / "extra.jinja").write_text("new")
    lines = planned(package)
    assert "its source changed in prompts/templates/ko/extra.jinja" in lines["queries"]
    assert "changed" not in lines["base"]


def test_of_many_changed_files_a_plan_names_three_and_counts_the_rest(package: Path) -> None:
    planned(package)
    for module in (package / "core").glob("*.py"):
        module.write_text(module.read_text() + "# changed\n")
    line = planned(package)["base"]
    assert "core/errors.py" in line and "more files" in line and line.count(".py") == 3
