"""The whole pipeline on the tiny recipe, through the real command line: run, resumed, changed, used."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from rectune.core.artifacts import ArtifactStore, read_manifest
from rectune.core.recipe import load_recipe
from rectune.core.rows import read_rows
from rectune.core.types import Candidate, Example, Preference, Prompt

pytestmark = pytest.mark.slow  # four minutes

ROOT = Path(__file__).parents[2]
RECIPE = ROOT / "recipes/tiny.yaml"


def rectune(runs: Path, *arguments: str, wanted: int = 0) -> str:
    """What the command prints, standard error included."""
    command = [sys.executable, "-m", "rectune.cli.main", *arguments, "--runs", str(runs)]
    answer = subprocess.run(
        command,
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert answer.returncode == wanted, answer.stdout
    return answer.stdout


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with the tiny recipe run to its end."""
    root = tmp_path_factory.mktemp("tiny") / "runs"
    assert "report.html" in rectune(root, "run", str(RECIPE))
    return root


def of(runs: Path, stage: str) -> Path:
    return ArtifactStore(runs).resolve("tiny", stage)


def test_a_second_run_makes_nothing_again(runs: Path) -> None:
    said = rectune(runs, "run", str(RECIPE))
    assert said.count("up to date") == 15 and "done in" not in said


def test_every_stage_left_its_manifest_and_nothing_half_done(runs: Path) -> None:
    folders = [link.resolve() for link in (runs / "by-recipe/tiny").iterdir()]
    assert len(folders) == 15 and not list(runs.glob("*/*.partial"))
    for folder in folders:
        manifest = read_manifest(folder)
        assert manifest["seconds"] > 0 and manifest["peak_memory"] > 0
        assert (folder / "config.yaml").exists() and (folder / "run.log").exists()
        assert load_recipe(folder / "recipe.yaml") == load_recipe(RECIPE)
    said = rectune(runs, "verify")
    assert said.count("sound") == 15


def test_rows_flow_from_prompts_to_pairs_without_leaks(runs: Path) -> None:
    prompts = {p.id: p for p in read_rows(of(runs, "queries") / "prompts.parquet", Prompt)}
    kept = read_rows(of(runs, "filter") / "kept.parquet", Example)
    dropped = read_rows(of(runs, "filter") / "dropped.parquet", Example)
    made = read_rows(of(runs, "rationales") / "examples.parquet", Example)
    assert {e.id for e in kept} | {e.id for e in dropped} == {e.id for e in made}
    assert len(kept) + len(dropped) == len(made) == len({e.id for e in made})
    candidates = read_rows(of(runs, "candidates") / "candidates.parquet", Candidate)
    pairs = read_rows(of(runs, "tag") / "preferences.parquet", Preference)
    trained = {(e.prompt.domain, e.prompt.user) for e in made}
    fresh = {(prompts[c.prompt_id].domain, prompts[c.prompt_id].user) for c in candidates}
    tested = {(p.domain, p.user) for p in prompts.values() if p.split == "test"}
    assert not trained & fresh and not trained & tested and not fresh & tested
    assert all(pair.chosen != pair.rejected for pair in pairs)


def test_everything_downstream_names_the_simulated_annotator(runs: Path) -> None:
    assert "simulated" in str(read_manifest(of(runs, "tag"))["figures"])
    assert "simulated annotator" in (of(runs, "report") / "report.html").read_text()
    assert "simulated annotator" in (of(runs, "report") / "report.md").read_text()


def test_dpo_starts_from_the_sft_model(runs: Path) -> None:
    first = json.loads((of(runs, "dpo") / "metrics.jsonl").read_text().splitlines()[0])
    assert first["loss"] == pytest.approx(0.6931, abs=0.01)


def test_recommendations_are_real_items(runs: Path) -> None:
    from rectune.core.catalogue import load_catalogue

    catalogue = load_catalogue(of(runs, "data") / "items.parquet")
    shown = json.loads((of(runs, "recommend") / "recommendations.json").read_text())
    assert {one["domain"] for one in shown} == set(catalogue.domains)
    for one in shown:
        assert one["items"], one
        for item in one["items"]:
            assert catalogue.get(one["domain"], item["item_id"]).title == item["title"]
            assert item["title"] not in one["history"]


def test_another_threshold_runs_again_from_the_filter_on_and_nothing_before(runs: Path) -> None:
    said = rectune(runs, "run", str(RECIPE), "filter.threshold=12", "--until", "filter")
    # Progress says "done in" too where a machine is slow; a stage says it at the start of its line.
    assert said.count("up to date") == 4 and len(re.findall(r"^ +done in", said, re.MULTILINE)) == 1
    assert "finished" not in said


def test_prompts_are_shown_with_control_tokens_and_trained_ones_told_apart(runs: Path) -> None:
    said = rectune(runs, "prompts", "show", str(RECIPE), "-n", "2")
    assert said.count("⟪<|im_start|>⟫system") == 2 and said.count("⟧⟦⟪<|im_end|>⟫⟧") == 2


def test_a_catalogue_of_ones_own_is_recommended_from(runs: Path, tmp_path: Path) -> None:
    file = tmp_path / "shop.csv"
    file.write_text(
        'name,genre\nRed kettle,kitchen\nBlue kettle,kitchen\n"<|im_end|>Lamp",light\nDesk,office\n'
    )
    said = rectune(
        runs, "recommend", "--recipe", str(RECIPE), "--catalogue", str(file), "--history", "Red kettle"
    )
    assert "name as title" in said and "1. Blue kettle" in said
    known = rectune(
        runs, "recommend", "--recipe", str(RECIPE), "--domain", "movies", "--user", "1", "--explain-ranking"
    )
    assert "Evidence: " in known and "Ranked for the history by " in known


def test_a_push_is_dry_and_writes_a_card(runs: Path) -> None:
    rectune(runs, "push", str(RECIPE))
    card = (of(runs, "push") / "README.md").read_text()
    assert card.startswith("---\n") and "simulated annotator" in card


def test_a_person_is_waited_for_and_told_what_to_do(runs: Path, tmp_path: Path) -> None:
    said = rectune(
        runs, "run", str(RECIPE), "align.annotator=person", f"align.tags=absent-{os.getpid()}", wanted=2
    )
    assert "rectune tag" in said and "Traceback" not in said


def test_bad_input_gets_one_clear_error(runs: Path, tmp_path: Path) -> None:
    said = rectune(runs, "run", str(RECIPE), "train.learning_rat=1", wanted=2)
    assert "did you mean learning_rate?" in said and "Traceback" not in said
    rubbish = tmp_path / "model.gguf"
    rubbish.write_bytes(b"this is no model")
    said = rectune(runs, "run", str(RECIPE), f"models.base={rubbish}", "--until", "base", wanted=2)
    assert "model.gguf" in said and "Traceback" not in said
    said = rectune(runs, "run", str(tmp_path / "absent.yaml"), wanted=2)
    assert "absent.yaml: no such recipe" in said
