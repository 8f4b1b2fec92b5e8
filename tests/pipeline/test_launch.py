"""A stage runs in processes of its own: figures come back, errors are told apart, their death is survived."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from rectune.core.artifacts import ArtifactStore, WorkDir
from rectune.core.errors import UserError, WaitingForPeople
from rectune.pipeline.launch import StageFailed, launch
from rectune.pipeline.machines import ALONE, ProcessGroup
from tests.pipeline.second_machine import somebody_types, two_machines

ROOT = Path(__file__).parents[2]
STAGES = """
import os, signal, sys, time
from pathlib import Path
from rectune.core.errors import UserError, WaitingForPeople
from rectune.core.figures.record import Record
class Seen(Record):
    inputs: list[str] = []
    threshold: float = 0.0
    rank: str = ""
def good(config, inputs, out):
    print("noise of a library")
    (out / "rank").write_text(os.environ.get("RANK", "none"))
    return Seen(inputs=sorted(inputs), threshold=config.filter.threshold)
def bad(config, inputs, out): raise UserError("is broken", where="x.csv:3", hint="fix it")
def waits(config, inputs, out): raise WaitingForPeople("2 of 5 are tagged", hint="rectune tag")
def crashes(config, inputs, out): return 1 / 0
def dies(config, inputs, out): os.kill(os.getpid(), signal.SIGKILL)
def looks(config, inputs, out): return Seen(rank=str(config.train.seed))
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
    return Seen(rank=words[0])
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
def one_refuses_alone(config, inputs, out):
    (out / f"pid-{os.environ['RANK']}").write_text(str(os.getpid()))
    if os.environ["RANK"] == os.environ["WHICH"]: bad(config, inputs, out)
    time.sleep(300)
def one_crashes(config, inputs, out):
    if os.environ["RANK"] == "1": crashes(config, inputs, out)
    time.sleep(300)
def sleeps(config, inputs, out): (out / "pid").write_text(str(os.getpid())); time.sleep(60)
"""


@pytest.fixture(autouse=True)
def stages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "some_stages.py").write_text(STAGES)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))


def run(tmp_path: Path, name: str, process_group: ProcessGroup = ALONE) -> dict[str, object]:
    spec = {"sections": {"filter": {"threshold": 9.5}}, "inputs": {"data": str(tmp_path)}}
    with ArtifactStore(tmp_path / "runs").work("stage", "key") as place:
        stats, usage = launch(
            f"some_stages:{name}", spec, WorkDir(place.folder.resolve(), place.lock), process_group
        )
        assert usage.seconds > 0 and usage.attempts >= 1 and usage.peak_memory > 2**20
        return stats


def test_figures_come_back_and_noise_goes_to_the_log(tmp_path: Path) -> None:
    assert run(tmp_path, "good") == {"inputs": ["data"], "threshold": 9.5, "rank": ""}
    left = {path.name for path in (tmp_path / "runs/stage/key.partial").iterdir()}
    assert left == {"rank", "run.log"}
    assert "noise of a library" in (tmp_path / "runs/stage/key.partial/run.log").read_text()


@pytest.mark.parametrize(
    ("name", "kind", "words"),
    [
        ("bad", UserError, r"x\.csv:3: is broken\n  fix it"),
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


def test_usage_adds_up_over_attempts(tmp_path: Path) -> None:
    with pytest.raises(StageFailed):
        run(tmp_path, "crashes")
    usage = json.loads((tmp_path / "runs/stage/key.partial/.usage.json").read_text())
    assert usage["attempts"] == 1 and usage["seconds"] > 0
    run(tmp_path, "good")


def test_a_killed_run_takes_its_stage_with_it_and_frees_the_lock(tmp_path: Path) -> None:
    program = (
        "from pathlib import Path; import sys; sys.path[:0] = [sys.argv[2]]\n"
        "from rectune.core.artifacts import ArtifactStore, WorkDir\n"
        "from rectune.pipeline.launch import launch\n"
        "with ArtifactStore(Path(sys.argv[1])).work('stage', 'key') as place:\n"
        "    here = WorkDir(place.folder.resolve(), place.lock)\n"
        "    launch('some_stages:sleeps', {'sections': {}, 'inputs': {}}, here)\n"
    )
    store = ArtifactStore(tmp_path / "runs")
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


def seen(tmp_path: Path) -> list[list[str]]:
    """What the ranks of `meets` wrote: rank, local rank, world, and the sum over all ranks."""
    return [path.read_text().split() for path in sorted(tmp_path.glob("runs/stage/key.partial/seen-*"))]


def test_a_rank_that_crashes_is_named_and_not_those_that_were_ended_for_it(tmp_path: Path) -> None:
    with pytest.raises(StageFailed, match=r"^rank 1: ZeroDivisionError"):
        run(tmp_path, "one_crashes", ProcessGroup(processes=2))


def test_a_job_around_us_does_not_say_which_rank_we_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RANK", "1")
    monkeypatch.setenv("WORLD_SIZE", "4")
    assert run(tmp_path, "good")["threshold"] == 9.5
    assert (tmp_path / "runs/stage/key.partial/rank").read_text() == "none"


def test_ranks_of_one_machine_meet_and_the_first_reports(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setenv("TMPDIR", str(temporary))
    assert run(tmp_path, "meets", ProcessGroup(2))["rank"] == "0"
    assert not list(temporary.glob("torchelastic*"))
    assert seen(tmp_path) == [["0", "0", "2", "1"], ["1", "1", "2", "1"]]
    assert not list((tmp_path / "runs/stage/key.partial").glob(".*"))


def test_nothing_of_the_folder_where_a_command_is_typed_is_imported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "somewhere").mkdir()
    (tmp_path / "somewhere/torch.py").write_text("raise SystemExit('a file of the user was imported')")
    monkeypatch.chdir(tmp_path / "somewhere")
    assert run(tmp_path, "meets", ProcessGroup(2))["rank"] == "0"


@pytest.mark.slow
def test_what_is_printed_for_another_machine_joins_and_ranks_follow_the_machines(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with somebody_types(lambda: capsys.readouterr().err) as typed:
        assert run(tmp_path, "meets", two_machines(processes=2))["rank"] == "0"
    assert [child.returncode for child in typed.started] == [0]
    assert "on machine 2 of 2, type:" in typed.printed
    assert seen(tmp_path) == [
        ["0", "0", "4", "6"],
        ["1", "1", "4", "6"],
        ["2", "0", "4", "6"],
        ["3", "1", "4", "6"],
    ]
    assert "noise of a library" in (tmp_path / "runs/stage/key.partial/rank-2.log").read_text()


def test_a_machine_that_does_not_share_the_folder_says_so(tmp_path: Path) -> None:
    (tmp_path / ".spec.json").write_text('{"run": "another"}')
    for spec in (tmp_path / ".spec.json", tmp_path / "absent"):
        agent = [sys.executable, "-m", "rectune.pipeline.torchrun", str(spec), "--run=x", "--node-rank=1"]
        answer = subprocess.run(agent, cwd=ROOT, capture_output=True, text=True, check=False)
        assert answer.returncode == 2 and "every machine mounts under the same path" in answer.stderr


@pytest.mark.slow
def test_a_dead_rank_ends_all_and_is_named_with_its_last_words(tmp_path: Path) -> None:
    """The last rank is killed; the others, which wait for it, must neither stay nor be blamed."""
    with pytest.raises(StageFailed, match=r"(?s)rank 1: .*signal 9.*last words of 1.*rank-1\.log"):
        run(tmp_path, "one_dies", ProcessGroup(2))
    for note in tmp_path.glob("runs/stage/key.partial/pid-*"):
        assert not _alive(int(note.read_text()))


@pytest.mark.slow
def test_a_rank_that_dies_on_another_machine_is_named_with_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said = r"(?s)rank 1 on machine 2 \(.*\): .*signal 9.*last words of 1.*rank-1\.log"
    with somebody_types(lambda: capsys.readouterr().err) as typed, pytest.raises(StageFailed, match=said):
        run(tmp_path, "one_dies", two_machines())
    assert typed.started[0].returncode == 1
    for note in tmp_path.glob("runs/stage/key.partial/pid-*"):
        assert not _alive(int(note.read_text()))


@pytest.mark.slow
def test_bad_input_that_one_rank_finds_is_told_as_in_one_process(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"x\.csv:3: is broken\n  fix it"):
        run(tmp_path, "one_refuses", ProcessGroup(2))


@pytest.mark.slow
@pytest.mark.parametrize("which", ["0", "1"])
def test_a_rank_that_fails_before_any_connection_ends_the_other_machine(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, which: str
) -> None:
    """The other rank does not even listen: nothing but the note can end it."""
    monkeypatch.setenv("WHICH", which)
    begun, said = time.monotonic(), r"x\.csv:3: is broken"
    with somebody_types(lambda: capsys.readouterr().err) as typed, pytest.raises(UserError, match=said):
        run(tmp_path, "one_refuses_alone", two_machines())
    assert typed.started[0].returncode != 0
    assert time.monotonic() - begun < 120


def test_machines_that_cannot_meet_here_are_refused_before_anything_starts(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        for host in ("127.0.0.1", "192.0.2.1", "no-such-host.invalid"):
            with pytest.raises(UserError, match=f"cannot meet at {host}:{port}.*this one is"):
                run(tmp_path, "good", ProcessGroup(1, 2, f"{host}:{port}"))


def command(tmp_path: Path, name: str, process_group: ProcessGroup) -> tuple[subprocess.Popen[bytes], str]:
    """A command of its own that launches the stage on two machines, and what it prints for the second."""
    program = (
        f"from tests.pipeline.test_launch import *\nrun(Path({str(tmp_path)!r}), {name!r}, {process_group!r})"
    )
    path = {"PYTHONPATH": f"{tmp_path}:{ROOT}"}
    child = subprocess.Popen(
        [sys.executable, "-c", program], cwd=ROOT, env=os.environ | path, stderr=subprocess.PIPE
    )
    assert child.stderr is not None
    while "--node-rank 1" not in (line := child.stderr.readline().decode()):
        assert child.poll() is None
    return child, line


@pytest.mark.slow
def test_a_command_that_waits_for_other_machines_can_be_interrupted(tmp_path: Path) -> None:
    child, _ = command(tmp_path, "good", two_machines())
    family = psutil.Process(child.pid).children(recursive=True)
    time.sleep(5)
    child.send_signal(signal.SIGINT)
    assert child.wait(20) != 0
    assert not psutil.wait_procs(family, timeout=10)[1]


@pytest.mark.slow
def test_a_killed_command_ends_the_other_machine_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its ranks have no connection that could break."""
    monkeypatch.setenv("WHICH", "nobody")
    child, line = command(tmp_path, "one_refuses_alone", two_machines())
    with subprocess.Popen(["sh", "-c", line], cwd="/") as second:
        while len(list(tmp_path.glob("runs/stage/key.partial/pid-*"))) < 2:
            assert child.poll() is None and second.poll() is None
            time.sleep(0.1)
        family = [*psutil.Process(child.pid).children(recursive=True), *psutil.Process(second.pid).children()]
        child.kill()
        child.wait()
        assert second.wait(60) != 0
        assert not psutil.wait_procs(family, timeout=30)[1]
