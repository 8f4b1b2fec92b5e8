"""The real program `rectune tag` through pipes and on a real pseudo-terminal."""

from __future__ import annotations

import os
import pty
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from align.session import shuffled
from align.tagging import tag
from align.tags import TagStore
from rectune.errors import UserError
from tests.align.examples import make_tasks, write_folders, write_items

PROGRAM = """
import sys
from pathlib import Path
from align.tagging import tag
root = Path(sys.argv[1])
folders = {name: root / name for name in ("queries", "candidates", "data")}
sys.exit(tag(folders, root / "tags" / "t.sqlite", sys.argv[2], "plain" in sys.argv))
"""
ENVIRONMENT = os.environ | {"PYTHONPATH": str(Path.cwd()), "TERM": "xterm-256color", "LANG": "C.UTF-8"}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    write_folders(tmp_path, make_tasks(3))
    write_items(tmp_path / "data")
    return tmp_path


def piped(root: Path, text: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", PROGRAM, str(root), "kim"]
    return subprocess.run(
        command, input=text, capture_output=True, text=True, env=ENVIRONMENT, timeout=60, check=True
    )


def kept(root: Path) -> list[tuple[str, str]]:
    """Best and worst of every tag, as texts."""
    names = {t.key: t for t in make_tasks(3)}
    with TagStore(root / "tags" / "t.sqlite") as store:
        return [(names[t.prompt].text(t.best), names[t.prompt].text(t.worst)) for t in store.tags()]


def test_without_a_terminal_it_reads_lines_and_the_end_of_input_quits(root: Path) -> None:
    done = piped(root, "3 1\n\n2,5\n")
    assert len(kept(root)) == 2
    assert "2 of 3 prompts done (0 skipped)" in done.stdout
    first = shuffled(make_tasks(1)[0], "kim")
    assert kept(root)[0] == (make_tasks(1)[0].text(first[2]), make_tasks(1)[0].text(first[0]))


@pytest.mark.parametrize(
    ("line", "explained"),
    [
        ("3", "two numbers"),
        ("9 1", "numbered 1 to 5"),
        ("0 1", "numbered 1 to 5"),
        ("2 2", "two different"),
        ("best", "two numbers"),
        ("²  1", "two numbers"),
        ("1 2 3", "two numbers"),
    ],
)
def test_wrong_input_is_explained_and_asked_again(root: Path, line: str, explained: str) -> None:
    done = piped(root, f"{line}\n1 2\nq\n")
    assert explained in done.stdout
    assert len(kept(root)) == 1


def test_letters_skip_undo_move_and_show_the_truth(root: Path) -> None:
    done = piped(root, "t\ns\nu\nu\nn\n1 2\np\n?\nq\n")
    assert "Really taken next: Heat" in done.stdout
    assert "nothing to undo" in done.stdout
    assert len(kept(root)) == 1
    assert kept(root)[0][0].endswith("to 1")


def test_a_reader_that_goes_away_is_no_error(root: Path) -> None:
    line = f"yes '1 2' | {sys.executable} -c '{PROGRAM}' {root} kim | head -1"
    done = subprocess.run(
        ["bash", "-c", f"set -o pipefail; {line}"], env=ENVIRONMENT, capture_output=True, timeout=60
    )
    assert b"Traceback" not in done.stderr


def test_nothing_to_tag_and_too_many_answers_are_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    empty = write_folders(tmp_path / "empty", [])
    with pytest.raises(UserError, match="no candidate answers"):
        tag(empty, tmp_path / "t.sqlite", "kim", plain=True)
    many = write_folders(tmp_path / "many", make_tasks(1, answers=10))
    monkeypatch.setattr("align.tagging._terminal", lambda: True)
    with pytest.raises(UserError, match="--plain"):
        tag(many, tmp_path / "t.sqlite", "kim", plain=False)


class Terminal:
    """The real program on a real pseudo-terminal of 80 by 24."""

    def __init__(self, root: Path, *arguments: str) -> None:
        self.pid, self.file = pty.fork()
        if self.pid == 0:
            os.environ.update(ENVIRONMENT | {"LINES": "24", "COLUMNS": "80"})
            os.execv(sys.executable, [sys.executable, "-c", PROGRAM, str(root), "kim", *arguments])
        self.seen = b""

    def until(self, text: str, seconds: float = 60.0) -> None:
        """Read until a text was written after what was waited for before."""
        wanted, limit = text.encode(), time.monotonic() + seconds
        while wanted not in self.seen:
            ready, _, _ = select.select([self.file], [], [], max(limit - time.monotonic(), 0.0))
            assert ready, f"{text!r} never came, but {self.seen[-400:]!r}"
            self.seen += os.read(self.file, 65536)
        self.seen = self.seen.split(wanted, 1)[1]

    def type(self, text: str) -> None:
        """Press keys."""
        os.write(self.file, text.encode())

    def end(self) -> int:
        """Wait for the program; its exit status, negative for a signal."""
        status = os.waitpid(self.pid, 0)[1]
        os.close(self.file)
        return os.waitstatus_to_exitcode(status)


def test_plain_mode_on_a_terminal(root: Path) -> None:
    terminal = Terminal(root, "plain")
    terminal.until("best worst?")
    terminal.type("5 4\n")
    terminal.until("2 of 3")
    assert len(kept(root)) == 1
    terminal.type("\x04")
    terminal.until("1 of 3 prompts done")
    assert terminal.end() == 0


def test_the_screen_killed_between_any_two_keys_goes_on_where_it_was(root: Path) -> None:
    for number in range(1, 3):
        terminal = Terminal(root)
        terminal.until(f"{number} of 3")
        terminal.type("12")
        terminal.until("pick the best")
        terminal.until(f"{number} of 3 done")
        terminal.type("4")  # half a decision is none
        terminal.until("now the worst")
        os.kill(terminal.pid, signal.SIGKILL)
        assert terminal.end() == -signal.SIGKILL
        assert len(kept(root)) == number
    terminal = Terminal(root)
    terminal.until("2 of 3 done")
    terminal.type("q")
    terminal.until("2 of 3 prompts done")
    assert terminal.end() == 0
