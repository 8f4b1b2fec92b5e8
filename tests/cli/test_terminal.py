"""The command as a program: streams that take nothing, terminals that know few characters, people nobody
knows.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from rectune.pipeline.doctor import examine

COMMAND = (sys.executable, "-m", "rectune.cli.main")
FULL = Path("/dev/full")

needs_full = pytest.mark.skipif(not FULL.exists(), reason="this system has no /dev/full")


def rectune(*words: str, **options: object) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run([*COMMAND, *words], check=False, **{"stderr": subprocess.PIPE, **options})


@needs_full
@pytest.mark.parametrize("words", [["data", "list"], ["--help"]])
def test_output_that_cannot_be_written_is_one_error(words: list[str]) -> None:
    with FULL.open("wb") as full:
        done = rectune(*words, stdout=full)
    said = done.stderr.decode()
    assert done.returncode == 2 and "standard output: the disk is full" in said and "Traceback" not in said
    assert said.count("rectune:") == 1


def test_a_stream_that_the_caller_closed_takes_no_file_of_ours(tmp_path: Path) -> None:
    script = f"exec {' '.join(COMMAND)} plan tiny --runs {tmp_path / 'runs'} >&- 2>&-"
    assert subprocess.run(["sh", "-c", script], check=False).returncode == 0


def test_a_file_where_the_run_store_should_be_is_one_error_for_every_command(tmp_path: Path) -> None:
    (tmp_path / "runs").write_text("mine")
    for words in (["plan", "tiny"], ["verify"], ["run", "tiny"], ["compare", "tiny", "demo"]):
        done = rectune(*words, "--runs", str(tmp_path / "runs"), stdout=subprocess.PIPE)
        assert done.returncode == 2 and b"artifact store is a folder" in done.stderr, words
        assert b"Traceback" not in done.stderr
    assert (tmp_path / "runs").read_text() == "mine"


def test_a_folder_that_may_not_be_written_is_one_error() -> None:
    done = rectune("run", "tiny", "--runs", "/sys/none", stdout=subprocess.PIPE)
    assert done.returncode == 2 and done.stderr.count(b"\n") == 2 and b"/sys/none" in done.stderr


@pytest.mark.parametrize("encoding", ["cp949", "euc-kr", "ascii", "utf-8"])
def test_what_a_terminal_cannot_show_is_replaced(encoding: str, tmp_path: Path) -> None:
    words = [
        "-c",
        "from rectune.core.std_streams import *; prepare_streams(); "
        "print('김 🎬 \\ud83d'); print(json_line('🎬')); print('|▁▄█|2017–2022 ⟦end⟧')",
    ]
    environment = os.environ | {"PYTHONIOENCODING": encoding}
    done = subprocess.run([sys.executable, *words], env=environment, capture_output=True, check=True)
    shown, quoted, chart = done.stdout.decode(encoding).splitlines()
    assert json.loads(quoted) == "🎬"
    assert "\\ud83d" in shown
    assert (
        chart
        == {
            "utf-8": "|▁▄█|2017–2022 ⟦end⟧",
            "ascii": "|14#|2017-2022 [end]",
            "cp949": "|14#|2017-2022 [end]",
            "euc-kr": "|14#|2017-2022 [end]",
        }[encoding]
    )
    assert ("🎬" in shown) == (encoding == "utf-8") and ("김" in shown) == (encoding != "ascii")


def test_somebody_whom_the_system_does_not_know_is_asked_for_a_name() -> None:
    program = (
        "import os, pwd; from rectune.core.user_env import *; from rectune.core.errors import UserError\n"
        "os.setuid(54321)\n"
        "for ask in (login_name, home_folder, lambda: path_of('~/x')):\n"
        "    try: print(ask())\n"
        "    except UserError as told: print('told', bool(told.hint))\n"
    )
    if os.getuid() != 0:
        pytest.skip("only root can become somebody else")
    bare = {"PATH": os.environ["PATH"]}
    done = subprocess.run(
        [sys.executable, "-c", program], env=bare, capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines() == ["told True"] * 3


def test_the_doctor_tries_to_write_where_rectune_writes(tmp_path: Path) -> None:
    report, healthy = examine(tmp_path / "new" / "runs")
    assert healthy, report
    assert not (tmp_path / "new").exists() and "can be written to" in report
    (tmp_path / "file").write_text("")
    report, healthy = examine(tmp_path / "file")
    assert not healthy and "MEND runs" in report
    report, healthy = examine(Path("/sys/none"))
    assert not healthy and "/sys cannot be written to" in report
