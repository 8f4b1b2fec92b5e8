"""A stage runs in a process of its own: its figures come back, its errors are told apart, its death is survived."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pipeline.launch import StageFailed, launch
from rectune.errors import UserError, WaitingForPeople
from rectune.runs import RunStore, Workplace

ROOT = Path(__file__).parents[2]
STAGES = """
import os, signal, sys, time
from pathlib import Path
from rectune.errors import UserError, WaitingForPeople
def good(config, inputs, out):
    print("noise of a library")
    (out / "rank").write_text(os.environ.get("RANK", "none"))
    return {"inputs": sorted(inputs), "threshold": config.filter.threshold}
def bad(config, inputs, out): raise UserError("is broken", where="x.csv:3", mend="mend it")
def waits(config, inputs, out): raise WaitingForPeople("2 of 5 are tagged", mend="rectune tag")
def crashes(config, inputs, out): return 1 / 0
def dies(config, inputs, out): os.kill(os.getpid(), signal.SIGKILL)
def looks(config, inputs, out): return {"train": config.train.seed}
def fills(config, inputs, out): raise OSError(28, "No space left on device")
def fills_elsewhere(config, inputs, out):
    raise RuntimeError("while serializing: No space left on device (os error 28)")
def sleeps(config, inputs, out): (out / "pid").write_text(str(os.getpid())); time.sleep(60)
"""


@pytest.fixture(autouse=True)
def stages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "some_stages.py").write_text(STAGES)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))


def run(tmp_path: Path, name: str, processes: int = 1) -> dict[str, object]:
    spec = {"sections": {"filter": {"threshold": 9.5}}, "inputs": {"data": str(tmp_path)}}
    with RunStore(tmp_path / "runs").work("stage", "key") as place:
        stats, effort = launch(
            f"some_stages:{name}", spec, Workplace(place.folder.resolve(), place.lock), processes
        )
        assert effort.seconds > 0 and effort.attempts >= 1 and effort.peak_memory > 2**20
        return stats


def test_figures_come_back_and_noise_goes_to_the_log(tmp_path: Path) -> None:
    assert run(tmp_path, "good") == {"inputs": ["data"], "threshold": 9.5}
    left = {path.name for path in (tmp_path / "runs/stage/key.partial").iterdir()}
    assert left == {"rank", "run.log"}
    assert "noise of a library" in (tmp_path / "runs/stage/key.partial/run.log").read_text()


@pytest.mark.parametrize(
    ("name", "kind", "words"),
    [
        ("bad", UserError, r"x\.csv:3: is broken\n  mend it"),
        ("waits", WaitingForPeople, "2 of 5 are tagged"),
        ("fills", UserError, "the disk is full"),
        ("fills_elsewhere", UserError, "the disk is full"),
        ("crashes", StageFailed, "ZeroDivisionError"),
        ("dies", StageFailed, r"signal 9"),
        ("looks", StageFailed, "has no attribute 'train'"),
    ],
)
def test_every_kind_of_end_is_told_apart(
    tmp_path: Path, name: str, kind: type[Exception], words: str
) -> None:
    with pytest.raises(kind, match=words) as caught:
        run(tmp_path, name)
    assert isinstance(caught.value, UserError) == issubclass(kind, UserError)


def test_effort_adds_up_over_attempts(tmp_path: Path) -> None:
    with pytest.raises(StageFailed):
        run(tmp_path, "crashes")
    effort = json.loads((tmp_path / "runs/stage/key.partial/.effort.json").read_text())
    assert effort["attempts"] == 1 and effort["seconds"] > 0
    run(tmp_path, "good")


def test_a_killed_run_takes_its_stage_with_it_and_frees_the_lock(tmp_path: Path) -> None:
    program = (
        "from pathlib import Path; import sys; sys.path[:0] = [sys.argv[2]]\n"
        "from rectune.runs import RunStore, Workplace; from pipeline.launch import launch\n"
        "with RunStore(Path(sys.argv[1])).work('stage', 'key') as place:\n"
        "    here = Workplace(place.folder.resolve(), place.lock)\n"
        "    launch('some_stages:sleeps', {'sections': {}, 'inputs': {}}, here, 1)\n"
    )
    store = RunStore(tmp_path / "runs")
    parent = subprocess.Popen([sys.executable, "-c", program, str(store.root), str(ROOT)])
    note = tmp_path / "runs/stage/key.partial/pid"
    for _ in range(600):
        if note.exists() and note.read_text():
            break
        time.sleep(0.1)
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    child = int(note.read_text())
    for _ in range(100):
        if not _alive(child):
            break
        time.sleep(0.1)
    assert not _alive(child)
    with store.work("stage", "key"):
        pass


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False


@pytest.mark.slow
def test_several_ranks_are_launched_and_the_first_reports(tmp_path: Path) -> None:
    assert run(tmp_path, "good", processes=2)["threshold"] == 9.5
    assert (tmp_path / "runs/stage/key.partial/rank").read_text() in {"0", "1"}
