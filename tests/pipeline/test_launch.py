"""A stage runs in a process of its own: its figures come back, its errors are told apart, its death is survived."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from rectune.core.errors import UserError, WaitingForPeople
from rectune.core.runs import RunStore, Workplace
from rectune.pipeline.launch import StageFailed, launch
from rectune.pipeline.machines import ALONE, Machine, Team
from tests.pipeline.ssh import stand_in_for_ssh

ROOT = Path(__file__).parents[2]
STAGES = """
import os, signal, sys, time
from pathlib import Path
from rectune.core.errors import UserError, WaitingForPeople
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
def join():
    import torch.distributed as distributed
    distributed.init_process_group("gloo")
    return distributed
def meets(config, inputs, out):
    import torch
    distributed, total = join(), torch.tensor([int(os.environ["RANK"])])
    distributed.all_reduce(total)
    print("noise of a library")
    words = [os.environ[name] for name in ("RANK", "LOCAL_RANK", "WORLD_SIZE")] + [str(int(total))]
    (out / f"seen-{words[0]}").write_text(" ".join(words))
    distributed.barrier()
    return {"rank": words[0]}
def one_dies(config, inputs, out):
    rank, distributed = os.environ["RANK"], join()
    (out / f"pid-{rank}").write_text(str(os.getpid()))
    print("last words of", rank, flush=True)
    distributed.barrier()
    if int(rank) == int(os.environ["WORLD_SIZE"]) - 1:
        os.kill(os.getpid(), signal.SIGKILL)
    distributed.barrier()
def one_refuses(config, inputs, out):
    distributed = join()
    if os.environ["RANK"] == "1": bad(config, inputs, out)
    distributed.barrier()
def sleeps(config, inputs, out): (out / "pid").write_text(str(os.getpid())); time.sleep(60)
"""


@pytest.fixture(autouse=True)
def stages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "some_stages.py").write_text(STAGES)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))


def run(tmp_path: Path, name: str, team: Team = ALONE) -> dict[str, object]:
    spec = {"sections": {"filter": {"threshold": 9.5}}, "inputs": {"data": str(tmp_path)}}
    with RunStore(tmp_path / "runs").work("stage", "key") as place:
        stats, effort = launch(
            f"some_stages:{name}", spec, Workplace(place.folder.resolve(), place.lock), team
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
        "from rectune.core.runs import RunStore, Workplace; from rectune.pipeline.launch import launch\n"
        "with RunStore(Path(sys.argv[1])).work('stage', 'key') as place:\n"
        "    here = Workplace(place.folder.resolve(), place.lock)\n"
        "    launch('some_stages:sleeps', {'sections': {}, 'inputs': {}}, here)\n"
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


def two(launcher: str = "ssh", second: str = "127.0.0.2") -> Team:
    """Two machines that are both this one, two processes on the first and one on the second."""
    return Team((Machine("127.0.0.1", 2), Machine(second, 1)), launcher)  # type: ignore[arg-type]


@pytest.fixture
def fake_ssh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file that names the hosts which ssh was asked for."""
    return stand_in_for_ssh(tmp_path, monkeypatch)


def seen(tmp_path: Path) -> list[list[str]]:
    """What the ranks of `meets` wrote: rank, local rank, world, and the sum over all ranks."""
    return [path.read_text().split() for path in sorted(tmp_path.glob("runs/stage/key.partial/seen-*"))]


def test_ranks_of_one_machine_meet_and_the_first_reports(tmp_path: Path) -> None:
    assert run(tmp_path, "meets", Team((Machine("localhost", 2),)))["rank"] == "0"
    assert seen(tmp_path) == [["0", "0", "2", "1"], ["1", "1", "2", "1"]]
    assert not list((tmp_path / "runs/stage/key.partial").glob(".*"))


@pytest.mark.slow
def test_ssh_starts_the_other_machines_and_ranks_follow_the_list(tmp_path: Path, fake_ssh: Path) -> None:
    assert run(tmp_path, "meets", two())["rank"] == "0"
    assert seen(tmp_path) == [["0", "0", "3", "3"], ["1", "1", "3", "3"], ["2", "0", "3", "3"]]
    assert fake_ssh.read_text().split() == ["127.0.0.2"]
    assert "noise of a library" in (tmp_path / "runs/stage/key.partial/rank-2.log").read_text()


def test_a_machine_that_ssh_does_not_reach_is_named_and_nobody_waits(tmp_path: Path, fake_ssh: Path) -> None:
    begun = time.monotonic()
    with pytest.raises(UserError, match=r"(?s)unreachable.*No route to host"):
        run(tmp_path, "meets", two(second="unreachable"))
    assert time.monotonic() - begun < 60


@pytest.mark.slow
def test_by_hand_the_exact_command_is_printed_and_joins(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    started: list[subprocess.Popen[bytes]] = []
    elsewhere = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}

    def type_it() -> None:
        printed = ""
        while "--machine 1" not in printed:
            time.sleep(0.05)
            printed += capsys.readouterr().err
        command = next(line for line in printed.splitlines() if "--machine 1" in line)
        started.append(subprocess.Popen(["sh", "-c", command], cwd="/", env=elsewhere))

    person = threading.Thread(target=type_it, daemon=True)
    person.start()
    assert run(tmp_path, "meets", two("manual"))["rank"] == "0"
    person.join()
    assert started[0].wait(60) == 0 and len(seen(tmp_path)) == 3


def test_a_machine_that_does_not_share_the_folder_says_so(tmp_path: Path) -> None:
    (tmp_path / ".spec.json").write_text('{"run": "another"}')
    for spec in (tmp_path / ".spec.json", tmp_path / "absent"):
        command = [
            sys.executable,
            "-m",
            "rectune.pipeline.worker",
            str(spec),
            "--machine",
            "1",
            "--run",
            "token",
        ]
        answer = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        assert answer.returncode == 2 and "every machine mounts under the same path" in answer.stderr


@pytest.mark.slow
@pytest.mark.parametrize("team", [Team((Machine("localhost", 2),)), two()])
def test_a_dead_rank_ends_all_and_is_named_with_its_last_words(
    tmp_path: Path, fake_ssh: Path, team: Team
) -> None:
    """The last rank is killed; the others, which wait for it, must neither stay nor be blamed."""
    last = team.world - 1
    with pytest.raises(
        StageFailed, match=rf"(?s)rank {last}\b.*signal 9.*last words of {last}.*rank-{last}\.log"
    ):
        run(tmp_path, "one_dies", team)
    for note in tmp_path.glob("runs/stage/key.partial/pid-*"):
        assert not _alive(int(note.read_text()))


@pytest.mark.slow
def test_bad_input_that_one_rank_finds_is_told_as_in_one_process(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"x\.csv:3: is broken\n  mend it"):
        run(tmp_path, "one_refuses", Team((Machine("localhost", 2),)))
