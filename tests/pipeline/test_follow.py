"""Under SLURM the first task leads and the others join; nobody waits for one who has gone."""

import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from rectune.core.errors import UserError
from rectune.core.recipe import load_recipe
from rectune.pipeline import supervise
from rectune.pipeline.failures import Failure, failure_of, last_lines, leave_note, notes
from rectune.pipeline.follow import leading, section_of_slurm
from rectune.pipeline.supervise import Silence
from tests.pipeline.test_launch import seen, two

ROOT = Path(__file__).parents[2]


@pytest.fixture
def job(monkeypatch: pytest.MonkeyPatch) -> None:
    """As srun starts the first of two tasks."""
    for name, value in {"JOB_ID": "7", "STEP_ID": "0", "PROCID": "0", "NTASKS": "2", "LOCALID": "0"}.items():
        monkeypatch.setenv(f"SLURM_{name}", value)


def follower(store: Path) -> subprocess.Popen[bytes]:
    """The second task, on a machine that is this one too."""
    program = (
        "import sys; from pathlib import Path; from rectune.pipeline.follow import leading\n"
        "with leading(Path(sys.argv[1]), 'train') as first: sys.exit(3 if first else 0)"
    )
    environment = os.environ | {
        "SLURM_PROCID": "1",
        "PYTHONPATH": f"{ROOT}:{os.environ.get('PYTHONPATH', '')}",
    }
    return subprocess.Popen([sys.executable, "-c", program, str(store)], cwd="/", env=environment)


@pytest.mark.parametrize(
    ("launcher", "until", "section"),
    [
        ("train.launcher=slurm", "report", "train"),
        ("train.launcher=slurm", "rationales", ""),
        ("align.launcher=slurm", "dpo", "align"),
        ("align.launcher=slurm", "candidates", ""),
        ("align.launcher=ssh", "report", ""),
    ],
)
def test_slurm_is_asked_for_by_the_training_stages_that_are_to_run(
    launcher: str, until: str, section: str
) -> None:
    recipe = load_recipe(ROOT / "recipes/tiny.yaml", [launcher, f"{launcher.split('.')[0]}.machines=2"])
    assert section_of_slurm(recipe, until) == section


def test_a_recipe_without_slurm_is_led_by_whoever_runs_it(tmp_path: Path) -> None:
    with leading(tmp_path, "") as first:
        assert first
    assert not list(tmp_path.iterdir())


def test_the_second_task_follows_until_the_first_ends(tmp_path: Path, job: None) -> None:
    second = follower(tmp_path)
    with leading(tmp_path, "train") as first:
        assert first
        time.sleep(1.5)
        assert second.poll() is None
    assert second.wait(60) == 0


@pytest.mark.slow
def test_both_tasks_train_together(tmp_path: Path, job: None, monkeypatch: pytest.MonkeyPatch) -> None:
    from tests.pipeline.test_launch import STAGES, run

    (tmp_path / "some_stages.py").write_text(STAGES)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    second = follower(tmp_path / "runs")
    with leading(tmp_path / "runs", "train"):
        assert run(tmp_path, "meets", two("slurm"))["rank"] == "0"
    assert second.wait(60) == 0
    assert [one[0] for one in seen(tmp_path)] == ["0", "1", "2"]


def test_silence_is_told_from_a_slow_start_and_from_a_goodbye(tmp_path: Path) -> None:
    pulse = tmp_path / "pulse"
    other = Silence(pulse)
    assert not other.is_lost(10_000.0)  # never seen: it may still be starting
    pulse.write_text("1")
    assert not other.is_lost(10_000.0)
    assert not other.is_lost(10_100.0) and other.is_lost(10_200.0)
    pulse.write_text("2")
    assert not other.is_lost(10_300.0)
    pulse.unlink()
    assert not other.is_lost(10_305.0) and other.is_lost(10_320.0)


def test_a_machine_that_falls_silent_ends_the_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervise, "_SILENCE", 0.5)
    monkeypatch.setattr(supervise, "_LOOK_EVERY", 0.1)
    told: list[int] = []
    monkeypatch.setattr(os, "kill", lambda pid, how: told.append(pid))
    (tmp_path / ".pulse-1").write_text("1")
    supervise._keep_in_touch(two(), 0, tmp_path, threading.Event())
    assert told == [os.getpid()]
    assert notes(tmp_path)[0].found == "the machine 127.0.0.2 gave no sign of life any more"


def test_the_cause_is_bad_input_before_a_kill_before_a_crash_and_the_first_of_each(tmp_path: Path) -> None:
    leave_note(tmp_path, "rank-0", failure_of(RuntimeError("connection closed by peer"), "rank 0"))
    leave_note(tmp_path, "rank-1", failure_of(ValueError("the real one"), "rank 1"))
    assert "closed by peer" in notes(tmp_path)[0].found
    leave_note(tmp_path, "rank-2", Failure("killed", "killed (signal 9)", who="rank 2"))
    assert notes(tmp_path)[0].who == "rank 2"
    leave_note(tmp_path, "rank-3", failure_of(UserError("no such file", where="x"), "rank 3"))
    assert notes(tmp_path)[0].where == "x"


def test_a_process_has_one_word_and_half_a_note_is_none(tmp_path: Path) -> None:
    leave_note(tmp_path, "rank-1", Failure("crash", "first"))
    leave_note(tmp_path, "rank-1", Failure("killed", "its launcher knows less"))
    (tmp_path / ".failed-rank-2.json").write_text('{"kind": "us')
    assert [note.found for note in notes(tmp_path)] == ["first"]


def test_last_lines_of_a_log_are_few_and_cannot_move_the_cursor(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_bytes(b"old\n" * 10_000 + b"\x1b[2Jnew \xff\n\n" + b"x" * 1000 + b"\n")
    shown = last_lines(log)
    assert len(shown.splitlines()) == 8 and "\x1b" not in shown and "[2Jnew" in shown
    assert max(map(len, shown.splitlines())) <= 204 and last_lines(tmp_path / "absent") == ""
