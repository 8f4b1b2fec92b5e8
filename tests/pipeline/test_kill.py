"""Killed in many stages, and with a full disk, the same command ends with the same rows, none twice."""

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from rectune.core.artifacts import ArtifactStore
from rectune.core.rows import read_rows
from rectune.core.types import Candidate, Example, Preference, Prompt

ROOT = Path(__file__).parents[2]
COMMAND = [sys.executable, "-m", "rectune.cli.main", "run", str(ROOT / "recipes/tiny.yaml"), "--runs"]

# Those that leave the most behind: tables, an index, a generation cache, checkpoints.
KILLED_IN = ("data", "fit", "rationales", "sft", "candidates", "dpo", "eval")

pytestmark = pytest.mark.slow


def run_killed_in(stage: str, runs: Path, after: float) -> int:
    """Run until the stage works, wait `after` seconds, kill the process group; returns the exit status."""
    child = subprocess.Popen(
        [*COMMAND, str(runs)],
        cwd=ROOT,
        start_new_session=True,
        stderr=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
    )
    while child.poll() is None and not list((runs / stage).glob("*.partial")):
        time.sleep(0.02)
    try:
        return child.wait(after)
    except subprocess.TimeoutExpired:
        os.killpg(child.pid, signal.SIGKILL)
        return child.wait()


def test_a_run_killed_in_many_stages_ends_as_if_nothing_had_happened(tmp_path: Path) -> None:
    runs, rng = tmp_path / "runs", random.Random(20)
    killed = [
        stage for stage in KILLED_IN if run_killed_in(stage, runs, rng.uniform(0.3, 6.0)) == -signal.SIGKILL
    ]
    assert len(killed) > 4  # the quickest stages may be through before the blow
    answer = subprocess.run([*COMMAND, str(runs)], cwd=ROOT, capture_output=True, text=True, check=False)
    assert answer.returncode == 0, answer.stderr
    assert not list(runs.glob("*/*.partial"))
    store = ArtifactStore(runs)
    assert all(not bad for _, bad in store.verify())

    prompts = read_rows(store.resolve("tiny", "queries") / "prompts.parquet", Prompt)
    examples = read_rows(store.resolve("tiny", "rationales") / "examples.parquet", Example)
    candidates = read_rows(store.resolve("tiny", "candidates") / "candidates.parquet", Candidate)
    pairs = read_rows(store.resolve("tiny", "tag") / "preferences.parquet", Preference)
    for ids in (
        [p.id for p in prompts],
        [e.id for e in examples],
        [c.id for c in candidates],
        [p.id for p in pairs],
    ):
        assert ids and len(set(ids)) == len(ids)
    trained = [prompt.id for prompt in prompts if prompt.split == "train"]
    assert sorted(example.prompt.id for example in examples) == sorted(trained)
    fresh = {prompt.id for prompt in prompts if prompt.split == "preference"}
    assert {candidate.prompt_id for candidate in candidates} <= fresh
    assert len({(c.prompt_id, c.text) for c in candidates}) == len(candidates)
    steps = (store.resolve("tiny", "sft") / "metrics.jsonl").read_text().splitlines()
    assert len(set(steps)) == len(steps)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 6 MiB; skipped where mounting is not allowed."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=6m", "tmpfs", folder], check=False, capture_output=True
    )
    if mounted.returncode:
        pytest.skip("needs the right to mount a small file system")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", folder], check=False)


def test_a_full_disk_is_named_and_the_same_command_goes_on_when_there_is_room(small_disk: Path) -> None:
    runs = [*COMMAND, str(small_disk / "runs"), "--until"]
    command = [*runs, "filter"]
    subprocess.run([*runs, "data"], cwd=ROOT, capture_output=True, check=True)
    full = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert full.returncode == 2, full.stderr
    assert "disk is full" in full.stderr and "Traceback" not in full.stderr
    assert ArtifactStore(small_disk / "runs").resolve("tiny", "data").is_dir()
    subprocess.run(["mount", "-o", "remount,size=200m", small_disk], check=True)
    again = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert again.returncode == 0, again.stderr
    assert "data        up to date" in again.stderr
