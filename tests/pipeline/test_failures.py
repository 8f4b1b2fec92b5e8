"""Notes of failed processes: which of them tells the cause, and what is shown of a log."""

from pathlib import Path

from rectune.core.errors import UserError
from rectune.pipeline.failures import Failure, clear_traces, failure_of, last_lines, leave_note, notes


def test_the_cause_is_bad_input_before_a_kill_before_a_crash_and_the_first_of_each(tmp_path: Path) -> None:
    leave_note(tmp_path, "run", "rank-0", failure_of(RuntimeError("connection closed by peer"), "rank 0"))
    leave_note(tmp_path, "run", "rank-1", failure_of(ValueError("the real one"), "rank 1"))
    assert "closed by peer" in notes(tmp_path, "run")[0].message
    leave_note(tmp_path, "run", "rank-2", Failure("killed", "killed (signal 9)", who="rank 2"))
    assert notes(tmp_path, "run")[0].who == "rank 2"
    leave_note(tmp_path, "run", "rank-3", failure_of(UserError("no such file", where="x"), "rank 3"))
    assert notes(tmp_path, "run")[0].where == "x"


def test_a_process_has_one_word_and_half_a_note_is_none(tmp_path: Path) -> None:
    leave_note(tmp_path, "run", "rank-1", Failure("crash", "first"))
    leave_note(tmp_path, "run", "rank-1", Failure("killed", "its agent knows less"))
    (tmp_path / ".failed-run-rank-2.json").write_text('{"kind": "us')
    assert [note.message for note in notes(tmp_path, "run")] == ["first"]


def test_a_late_note_of_an_attempt_is_not_read_by_the_next(tmp_path: Path) -> None:
    leave_note(tmp_path, "first", "rank-1", Failure("killed", "late"))
    assert notes(tmp_path, "second") == [] and len(notes(tmp_path, "first")) == 1
    clear_traces(tmp_path)
    assert not list(tmp_path.iterdir())


def test_last_lines_of_a_log_are_few_and_cannot_move_the_cursor(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_bytes(b"old\n" * 10_000 + b"\x1b[2Jnew \xff\n\n" + b"x" * 1000 + b"\n")
    shown = last_lines(log)
    assert len(shown.splitlines()) == 8 and "\x1b" not in shown and "[2Jnew" in shown
    assert max(map(len, shown.splitlines())) <= 204 and last_lines(tmp_path / "absent") == ""
