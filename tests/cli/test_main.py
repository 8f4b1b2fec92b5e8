"""The command line: light to start, clear when it refuses, and every command says what it does."""

import subprocess
import sys
from pathlib import Path

import pytest

from rectune.core.recipe import load_recipe
from rectune.pipeline.doctor import examine

ROOT = Path(__file__).parents[2]
HEAVY = (
    "torch transformers llama_cpp datasets polars pyarrow ray lancedb matplotlib textual"
    " sentence_transformers trl openai fastapi uvicorn sqlalchemy"
)

PROBE = """
import sys
from rectune.cli.main import app
try:
    app(sys.argv[1:])
except SystemExit:
    pass
print("loaded:", *sorted(set(sys.modules) & set("{heavy}".split())))
"""


@pytest.mark.parametrize(
    "arguments",
    [
        ["--help"],
        ["run", "--help"],
        ["serve", "--help"],
        ["keys", "create", "--help"],
        ["database", "restore", "--help"],
        ["plan", "recipes/demo.yaml", "--runs", "{runs}"],
    ],
)
def test_nothing_heavy_is_loaded_on_the_way_to_help_or_plan(arguments: list[str], tmp_path: Path) -> None:
    command = [sys.executable, "-c", PROBE.format(heavy=HEAVY), *[a.format(runs=tmp_path) for a in arguments]]
    answer = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert answer.stdout.splitlines()[-1] == "loaded:", answer.stdout[-300:]


def test_the_doctor_names_every_part_and_mends_what_is_missing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    report, healthy = examine()
    assert healthy, report
    for part in (
        "Python",
        "packages",
        "extra llm",
        "extra train",
        "extra ray",
        "model",
        "converter",
        "compiler",
        "accelerator",
        "disk",
        "Hub",
    ):
        assert part in report
    monkeypatch.setattr("sys.prefix", str(tmp_path))  # where the converter lies
    report, healthy = examine()
    assert not healthy and "MEND converter" in report and "rectune.models.fetch_converter" in report


def test_a_plan_prints_the_whole_recipe(tmp_path: Path) -> None:
    wanted = ["recipes/demo.yaml", "filter.threshold=12"]
    command = [sys.executable, "-m", "rectune.cli.main", "plan", *wanted, "--resolved"]
    answer = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    printed = tmp_path / "whole.yaml"
    printed.write_text(answer.stdout)
    assert load_recipe(printed) == load_recipe(ROOT / wanted[0], wanted[1:])


def test_make_help_lists_every_stage() -> None:
    answer = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True)
    stages = "data queries rationales filter sft candidates tag dpo export eval"
    for target in f"demo test test-all plan push {stages}".split():
        assert f" {target}" in answer.stdout
