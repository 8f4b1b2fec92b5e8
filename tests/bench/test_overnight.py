"""The measurements of a night: every part exists, what has ended is not run again, what failed is."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "bench/overnight.sh"


def overnight(out: Path, *arguments: str, python: str = "false") -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "OUT": str(out), "PYTHON": python, "DATA": ""}
    command = ["bash", str(SCRIPT), *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def parts() -> list[tuple[str, list[str]]]:
    """Name of every part, and its module with the arguments."""
    table = SCRIPT.read_text("utf-8").split('PARTS="')[1].split('"')[0]
    rows = [[cell.strip() for cell in line.split("|")] for line in table.splitlines()]
    return [(name, command.split()) for name, _, command in rows]


def sources(module: str) -> str:
    """The text of a program, and of what else of the benchmarks it imports."""
    text = (ROOT / f"{module.replace('.', '/')}.py").read_text("utf-8")
    others = re.findall(r"^from (bench\.\w+) import", text, re.MULTILINE)
    return text + "".join((ROOT / f"{one.replace('.', '/')}.py").read_text("utf-8") for one in others)


@pytest.mark.parametrize(("name", "command"), parts(), ids=[name for name, _ in parts()])
def test_every_part_is_a_program_that_knows_its_options(name: str, command: list[str]) -> None:
    text = sources(command[0])
    assert [one for one in command if one.startswith("--") and f'"{one}"' not in text] == []


def test_the_list_says_what_was_run(tmp_path: Path) -> None:
    (tmp_path / "kill.done").write_text("2026-01-02T03:04:05Z\n")
    (tmp_path / "chat.txt").write_text("half of it\n")
    said = dict(line.split(maxsplit=1) for line in overnight(tmp_path, "list").stdout.splitlines())
    assert list(said) == [name for name, _ in parts()]
    assert (said["kill"], said["chat"]) == ("run, 2026-01-02T03:04:05Z", "cut short")
    assert said["serve"] == "not run"


def test_what_fails_is_run_again_and_what_has_ended_is_not(tmp_path: Path) -> None:
    failed = overnight(tmp_path, "kill")
    assert failed.returncode == 1 and "kill: failed" in failed.stdout
    assert overnight(tmp_path, "kill", python="true").returncode == 0
    again = overnight(tmp_path, "kill")
    assert (again.returncode, again.stdout) == (0, "")


def test_a_part_that_needs_data_says_so(tmp_path: Path) -> None:
    assert "served: left out, needs DATA" in overnight(tmp_path, "served").stdout
