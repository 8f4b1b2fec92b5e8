"""The real program `rectune tag` through pipes and on a real pseudo-terminal."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import shutil
import signal
import struct
import subprocess
import sys
import termios
import time
from pathlib import Path

import pytest

from rectune.align.assignment import shuffled
from rectune.align.tagging import TaggingOptions, tag
from rectune.align.tags import TagStore
from rectune.core.errors import UserError
from tests.align.examples import make_tasks, write_folders, write_items

PROGRAM = """
import sys
from pathlib import Path
from rectune.align.tagging import TaggingOptions, tag
root = Path(sys.argv[1])
folders = {name: root / name for name in ("queries", "candidates", "data")}
sys.exit(tag(folders, TaggingOptions(root / "tags" / "t.sqlite", sys.argv[2], "plain" in sys.argv)))
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
    assert "2 of 3 prompts done (2 tagged)" in done.stdout
    first = shuffled(make_tasks(1)[0], "kim")
    assert kept(root)[0] == (make_tasks(1)[0].text(first[2]), make_tasks(1)[0].text(first[0]))


def test_wrong_input_is_explained_and_asked_again(root: Path) -> None:
    wrong = {
        "3": "two numbers",
        "9 1": "numbered 1 to 5",
        "0 1": "numbered 1 to 5",
        "2 2": "two different",
        "best": "two numbers",
        "²  1": "two numbers",
        "1 2 3": "two numbers",
        "9" * 5000 + " 1": "two numbers",
        "u x": "two numbers",
    }
    done = piped(root, "\n".join(wrong) + "\n1 2\nq\n")
    answers = done.stdout.split("\nbest worst?\n")[1:]
    assert [explained in answer for explained, answer in zip(wrong.values(), answers, strict=False)] == [
        True
    ] * 9
    assert len(kept(root)) == 1


def test_letters_skip_undo_move_and_show_the_truth(root: Path) -> None:
    done = piped(root, "t\ns\nu\nu\nn\n1 2\np\n?\nq\n")
    assert "Really taken next: Heat" in done.stdout
    assert "nothing to undo" in done.stdout
    assert len(kept(root)) == 1
    assert kept(root)[0][0].endswith("to 1")


def test_every_other_thing_the_screen_does_can_be_typed_too(root: Path) -> None:
    typed = "c 메모 👍\nf\ne\nx\ng\nv\ni\nj 9\nj 3\nㄴ\nr\nq\n"
    done = piped(root, typed).stdout
    assert "Comment kept." in done and "Comment: 메모 👍" in done and "1 of 3 · FLAGGED" in done
    assert "You recommend a film." in done
    assert "numbered 1 to 3" in done
    assert "3 of 3 prompts done (1 all bad, 1 skipped, 1 a tie)" in done


def test_a_decision_that_cannot_be_kept_ends_a_pipe_with_an_error(root: Path) -> None:
    (root / "tags").mkdir()
    (root / "tags" / "t.sqlite").write_bytes(b"no tag file at all" * 99)
    command = [sys.executable, "-c", PROGRAM, str(root), "kim"]
    done = subprocess.run(command, input="1 2\n", capture_output=True, text=True, env=ENVIRONMENT, timeout=60)
    assert done.returncode != 0 and "t.sqlite" in done.stderr
    assert (root / "tags" / "t.sqlite").read_bytes() == b"no tag file at all" * 99


def test_a_reader_that_goes_away_is_no_error(root: Path) -> None:
    line = f"yes '1 2' | {sys.executable} -c '{PROGRAM}' {root} kim | head -1"
    done = subprocess.run(
        ["bash", "-c", f"set -o pipefail; {line}"], env=ENVIRONMENT, capture_output=True, timeout=60
    )
    assert b"Traceback" not in done.stderr


def test_nothing_to_tag_is_said(tmp_path: Path) -> None:
    empty = write_folders(tmp_path / "empty", [])
    with pytest.raises(UserError, match="no candidate answers"):
        tag(empty, TaggingOptions(tmp_path / "t.sqlite", "kim", plain=True))


class Terminal:
    """The real program on a real pseudo-terminal of 80 by 24."""

    def __init__(self, root: Path, *arguments: str, annotator: str = "kim", **environment: str) -> None:
        self.pid, self.file = pty.fork()
        if self.pid == 0:
            os.environ.update(ENVIRONMENT | environment)
            os.execv(sys.executable, [sys.executable, "-c", PROGRAM, str(root), annotator, *arguments])
        self.resize(24, 80)
        self.seen = self.all = b""

    def resize(self, lines: int, columns: int) -> None:
        """Make the terminal larger or smaller, as a person does with a window."""
        fcntl.ioctl(self.file, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))

    def until(self, text: str, seconds: float = 60.0) -> None:
        """Read until a text was written after what was waited for before."""
        wanted, limit = text.encode(), time.monotonic() + seconds
        while wanted not in self.seen:
            ready, _, _ = select.select([self.file], [], [], max(limit - time.monotonic(), 0.0))
            assert ready, f"{text!r} never came, but {self.seen[-400:]!r}"
            try:
                read = os.read(self.file, 65536)
            except OSError:  # the program has ended
                raise AssertionError(f"{text!r} never came, but {self.seen[-800:]!r}") from None
            self.seen, self.all = self.seen + read, self.all + read
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


def test_keys_typed_ahead_are_neither_lost_nor_taken_for_decisions(root: Path) -> None:
    terminal = Terminal(root)
    terminal.until("pick the best")
    terminal.type("j3\rc12 x\rf")
    terminal.until("FLAGGED")
    terminal.type("q")
    terminal.until("0 of 3 prompts done")
    assert terminal.end() == 0
    with TagStore(root / "tags" / "t.sqlite") as store:
        assert store.history()[0] == []
        last = make_tasks(3)[2].key
        assert {(m.kind, m.prompt, m.text) for m in store.marks()} == {
            ("note", last, "12 x"),
            ("flag", last, "flagged"),
        }


def test_no_colour_where_none_is_wanted(root: Path) -> None:
    terminal = Terminal(root, NO_COLOR="1")
    terminal.until("pick the best")
    terminal.type("1")
    terminal.until("now the worst")
    terminal.type("q")
    terminal.until("prompts done")
    assert terminal.end() == 0
    codes = {code for found in re.findall(rb"\x1b\[([0-9;]*)m", terminal.all) for code in found.split(b";")}
    assert codes <= {b"", b"0", b"1", b"2", b"7", b"22", b"27", b"39", b"49"}


def test_more_answers_than_there_are_keys_are_said_on_a_terminal(tmp_path: Path) -> None:
    write_folders(tmp_path, make_tasks(1, answers=10))
    write_items(tmp_path / "data")
    terminal = Terminal(tmp_path)
    terminal.until("10 answers a prompt are more than the 9 the screen has keys for")
    terminal.until("--plain")
    assert terminal.end() != 0


@pytest.mark.slow
def test_killed_between_any_two_keys_of_a_session_everything_decided_is_there(root: Path) -> None:
    keys = "3" + "1" + "e" + "u" + "x" + "25"
    done_after = (0, 1, 2, 1, 2, 2, 3)
    for count in range(1, len(keys) + 1):
        (root / "tags").exists() and shutil.rmtree(root / "tags")
        terminal = Terminal(root)
        terminal.until("pick the best")
        for key, wanted in zip(keys[:count], done_after, strict=False):
            terminal.type(key)
            terminal.until("now the worst" if key in "32" else f"{wanted} of 3 done")
        os.kill(terminal.pid, signal.SIGKILL)
        assert terminal.end() == -signal.SIGKILL
        with TagStore(root / "tags" / "t.sqlite") as store:
            assert len(store.decisions()) == done_after[count - 1]


@pytest.mark.slow
def test_two_annotators_at_once_resizing_and_undoing_to_the_start(tmp_path: Path) -> None:
    write_folders(tmp_path, make_tasks(40))
    write_items(tmp_path / "data")
    people = {name: Terminal(tmp_path, annotator=name) for name in ("kim", "lee")}
    for terminal in people.values():
        terminal.until("pick the best")
    for number in range(1, 31):
        for terminal in people.values():
            terminal.type("12")
        for terminal in people.values():
            terminal.until(f"{number} of 41 done")
            terminal.resize(*((24, 80), (40, 140), (30, 100))[number % 3])
    people["lee"].type("u" * 30)
    people["lee"].until("0 of 41 done")
    for name, terminal in people.items():
        terminal.type("q")
        terminal.until("30 of 41 prompts done" if name == "kim" else "0 of 41 prompts done")
        assert terminal.end() == 0
    with TagStore(tmp_path / "tags" / "t.sqlite") as store:
        assert len(store.standing("kim")) == 30
        assert store.standing("lee") == []
        assert len(store.history()[0]) == 60


@pytest.mark.slow
def test_a_thousand_tags_as_fast_as_they_can_be_typed_and_back_to_the_start(tmp_path: Path) -> None:
    write_folders(tmp_path, make_tasks(1000))
    write_items(tmp_path / "data")
    terminal = Terminal(tmp_path)
    terminal.until("pick the best")
    for done in range(60, 1021, 60):
        terminal.type("12" * 60)
        terminal.until(f"{done} of 1020 done", 120)
    with TagStore(tmp_path / "tags" / "t.sqlite") as store:
        assert len(store.tags()) == 1000
        assert len(store.standing()) == 1020
    for done in range(960, -1, -60):
        terminal.type("u" * 60)
        terminal.until(f"{done} of 1020 done", 120)
    terminal.type("q")
    terminal.until("0 of 1020 prompts done")
    assert terminal.end() == 0
    with TagStore(tmp_path / "tags" / "t.sqlite") as store:
        assert store.standing() == []
        assert len(store.history()[0]) == 1020
