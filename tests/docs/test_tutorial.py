"""The tutorial runs as written: its shell blocks, one after another, from a folder like the checkout's."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TUTORIAL = (ROOT / "docs/tutorial.md").read_text(encoding="utf-8")


def blocks() -> list[str]:
    """The tutorial's shell blocks, in order."""
    return re.findall(r"```sh\n(.*?)```", TUTORIAL, re.DOTALL)


def test_every_step_has_something_to_type() -> None:
    steps = re.split(r"^## ", TUTORIAL, flags=re.MULTILINE)[1:]
    assert len(steps) == 5 and all("```sh\n" in step for step in steps)


@pytest.mark.timeout(3000)
@pytest.mark.slow
def test_the_tutorial_runs_as_written(tmp_path: Path) -> None:
    for name in ("recipes", "samples"):
        (tmp_path / name).symlink_to(ROOT / name)
    # The environment that runs the tests, wherever it is.
    (tmp_path / ".venv/bin").mkdir(parents=True)
    (tmp_path / ".venv/bin/rectune").write_text(
        f'#!/bin/sh\nPYTHONPATH="{ROOT}" exec "{sys.executable}" -m rectune.cli.main "$@"\n'
    )
    (tmp_path / ".venv/bin/rectune").chmod(0o755)
    said = [_typed(block, tmp_path) for block in blocks()]
    titles = {line.split(",")[1] for line in (tmp_path / "my-shop/items.csv").read_text().splitlines()[1:]}
    assert sum(title in said[1] for title in titles) >= 5  # two answers from the catalogue
    assert "\n1. " in said[2] and any(title in said[2] for title in titles)
    listing = json.loads(next((tmp_path / "my-shop/runs/push").glob("*/files.json")).read_text())
    assert [upload["kind"] for upload in listing["uploads"]] == ["gguf"] and listing["dry_run"]
    assert "simulated annotator" in said[3]
    assert "would run" in said[4] and "cannot run" not in said[4]


def _typed(block: str, folder: Path) -> str:
    """What a block prints; the test fails where a command of it does."""
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", block],
        cwd=folder,
        env={**os.environ, "HF_HUB_OFFLINE": "1"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=2400,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:]
    return done.stdout
