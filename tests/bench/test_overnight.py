"""The measurements of a night: every part exists, what has ended is not run again, what failed is."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "bench/overnight.sh"


def overnight(out: Path, *arguments: str, python: str = "false") -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "OUT": str(out), "PYTHON": python, "DATA": ""}
    command = ["bash", str(SCRIPT), *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def parts() -> list[tuple[str, str]]:
    """Name and module of every part."""
    table = SCRIPT.read_text("utf-8").split('PARTS="')[1].split('"')[0]
    rows = [[cell.strip() for cell in line.split("|")] for line in table.splitlines()]
    return [(name, command.split()[0]) for name, _, command in rows]


@pytest.mark.parametrize(("name", "module"), parts())
def test_every_part_is_a_program(name: str, module: str) -> None:
    assert (ROOT / f"{module.replace('.', '/')}.py").is_file()


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
