"""Training on two ranks under torch's agent: what each holds; kills, dead agents and full disks."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from rectune.core.artifacts import ArtifactStore, WorkDir
from rectune.core.errors import UserError
from rectune.models.checkpoints import SEAL, step_of
from rectune.models.prepare import make_checkpoint
from rectune.models.reference import TINY, locate
from rectune.pipeline.launch import StageFailed, launch
from rectune.pipeline.machines import ProcessGroup
from tests.models.tiny import tiny_checkpoint
from tests.pipeline.second_machine import somebody_types, two_machines
from tests.train.runs import SINGLE, losses, make_inputs

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
Said = pytest.CaptureFixture[str]
TWO = ProcessGroup(processes=2)
TRAIN = SINGLE | {
    "warmup_ratio": 0.0,
    "learning_rate": 2e-3,
    "eval_user_fraction": 0.0,
    "lora": {"r": 4, "lora_alpha": 8, "lora_dropout": 0.0},
    "per_device_train_batch_size": 2,
    "num_train_epochs": 6,
    "save_steps": 1,
}


def spec_of(folder: Path, **changes: Any) -> dict[str, Any]:
    inputs = make_inputs(folder, 8)
    return {
        "sections": {"models": {"base": "tiny"}, "train": TRAIN | changes},
        "inputs": {name: str(path.resolve()) for name, path in inputs.items()},
    }


def sft(
    store: Path, spec: dict[str, Any], function: str = "rectune.train.sft:run", team: ProcessGroup = TWO
) -> Path:
    """Run the stage in two ranks; returns its partial folder."""
    with ArtifactStore(store).work("sft", "key") as place:
        launch(function, spec, WorkDir(place.folder.resolve(), place.lock), team)
    return partial(store)


def partial(store: Path) -> Path:
    return store.resolve() / "sft" / "key.partial"


def at_step(store: Path, step: int, act: Callable[[], None]) -> threading.Thread:
    """Do something once so many checkpoints are sealed."""

    def wait() -> None:
        while not (partial(store) / "checkpoints" / f"checkpoint-{step}" / SEAL).exists():
            time.sleep(0.02)
        act()

    thread = threading.Thread(target=wait, daemon=True)
    thread.start()
    return thread


def workers(parent: int, option: str) -> list[psutil.Process]:
    """Processes of the stage below `parent`: the `agent`, or every `rank`."""
    module = {"agent": "rectune.pipeline.torchrun", "rank": "rectune.pipeline.worker"}[option]
    return [one for one in psutil.Process(parent).children(recursive=True) if module in one.cmdline()]


@pytest.fixture(scope="module")
def wanted(tmp_path_factory: pytest.TempPathFactory) -> list[float]:
    """The losses of a run that nothing interrupts."""
    folder = tmp_path_factory.mktemp("whole")
    return losses(sft(folder / "runs", spec_of(folder, zero_stage=2)))


@pytest.fixture
def wide_base(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkpoint whose linear layers all exceed 100,000 bytes: DeepSpeed partitions no smaller ones."""
    tiny_checkpoint()  # made and kept with the widths it has elsewhere
    shape = {"hidden_size": 512, "intermediate_size": 1024, "num_key_value_heads": 4}
    for name, width in shape.items():
        monkeypatch.setitem(TINY, name, width)
    make_checkpoint(locate("tiny"), tmp_path / "wide" / "checkpoint")
    return tmp_path / "wide"


def test_each_of_two_ranks_holds_half_of_the_4_bit_weights_under_zero_3(
    tmp_path: Path, wide_base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))  # the stage is one of the tests' own
    for zero, share in ((3, 0.5), (2, 1.0)):
        spec = spec_of(tmp_path, zero_stage=zero, num_train_epochs=1)
        spec["inputs"]["base"] = str(wide_base)
        out = sft(tmp_path / f"zero-{zero}", spec, "tests.train.measured:run")
        for rank in (0, 1):
            held = json.loads((out / f"held-{rank}.json").read_text())
            assert held["here"] / held["whole"] == pytest.approx(share, abs=0.02), (zero, held)


def test_a_killed_rank_is_named_and_the_same_command_goes_on(tmp_path: Path, wanted: list[float]) -> None:
    store, spec = tmp_path / "runs", spec_of(tmp_path, zero_stage=2)

    def kill() -> None:
        ranks = [one for one in workers(os.getpid(), "rank") if one.environ().get("LOCAL_RANK") == "1"]
        ranks[0].send_signal(signal.SIGKILL)

    at_step(store, 3, kill)
    with pytest.raises(StageFailed, match=r"(?s)rank 1: killed \(signal 9\).*rank-1\.log"):
        sft(store, spec)
    assert not workers(os.getpid(), "rank")
    assert losses(sft(store, spec)) == pytest.approx(wanted, abs=1e-3)


def test_two_machines_go_on_from_what_one_began(tmp_path: Path, capfd: Said, wanted: list[float]) -> None:
    store, spec = tmp_path / "runs", spec_of(tmp_path, zero_stage=2)
    at_step(store, 3, lambda: workers(os.getpid(), "rank")[0].send_signal(signal.SIGKILL))
    with pytest.raises(StageFailed):
        sft(store, spec)
    with somebody_types(lambda: capfd.readouterr().err) as typed:
        assert losses(sft(store, spec, team=two_machines())) == pytest.approx(wanted, abs=1e-3)
    assert "going on from step" in typed.printed
    assert [child.returncode for child in typed.started] == [0]


def test_a_killed_agent_takes_its_ranks_along_and_the_same_command_goes_on(
    tmp_path: Path, wanted: list[float]
) -> None:
    store, spec, ranks = tmp_path / "runs", spec_of(tmp_path, zero_stage=2), list[psutil.Process]()

    def kill() -> None:
        ranks.extend(workers(os.getpid(), "rank"))
        workers(os.getpid(), "agent")[0].send_signal(signal.SIGKILL)

    at_step(store, 3, kill)
    with pytest.raises(StageFailed, match="signal 9"):
        sft(store, spec)
    assert len(ranks) == 2 and not psutil.wait_procs(ranks, timeout=10)[1]
    assert losses(sft(store, spec)) == pytest.approx(wanted, abs=1e-3)


def test_a_killed_command_leaves_nothing_running(tmp_path: Path, wanted: list[float]) -> None:
    store, spec = tmp_path / "runs", spec_of(tmp_path, zero_stage=2)
    program = (
        "import json, sys; from pathlib import Path; from tests.train.test_trouble import sft\n"
        "sft(Path(sys.argv[1]), json.loads(sys.argv[2]))"
    )
    command = [sys.executable, "-c", program, str(store), json.dumps(spec)]
    child = subprocess.Popen(command, cwd=ROOT, env=os.environ | {"PYTHONPATH": str(ROOT)})
    family = list[psutil.Process]()

    def kill() -> None:
        family.extend(psutil.Process(child.pid).children(recursive=True))
        child.send_signal(signal.SIGKILL)

    at_step(store, 2, kill).join(300)
    child.wait()
    assert len(family) >= 3 and not psutil.wait_procs(family, timeout=60)[1]
    assert losses(sft(store, spec)) == pytest.approx(wanted, abs=1e-3)


def test_a_half_written_checkpoint_is_never_taken(tmp_path: Path, capfd: Said, wanted: list[float]) -> None:
    """One file of the newest is cut short: the run goes on from the one before."""
    store, spec = tmp_path / "runs", spec_of(tmp_path, zero_stage=2)

    def spoil() -> None:
        for one in workers(os.getpid(), "rank"):
            one.send_signal(signal.SIGKILL)

    at_step(store, 3, spoil)
    with pytest.raises(StageFailed):
        sft(store, spec)
    sealed = [path.parent for path in (partial(store) / "checkpoints").glob(f"*/{SEAL}")]
    newest = max(sealed, key=step_of)
    largest = max(
        (file for file in newest.rglob("*") if file.is_file()), key=lambda file: file.stat().st_size
    )
    with largest.open("r+b") as file:
        file.truncate(largest.stat().st_size // 2)
    assert losses(sft(store, spec)) == pytest.approx(wanted, abs=1e-3)
    assert f"going on from step {step_of(newest) - 1}" in capfd.readouterr().err


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A file system that can be filled; skipped where mounting is not allowed."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=400m", "tmpfs", str(folder)]
    if subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("needs the right to mount a small file system")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=False)


def test_a_disk_that_fills_at_a_checkpoint_is_named_and_the_run_goes_on_with_room(
    tmp_path: Path, disk: Path, capfd: Said, wanted: list[float]
) -> None:
    store, spec, ballast = disk / "runs", spec_of(tmp_path, zero_stage=2), disk / "ballast"

    def fill() -> None:
        with ballast.open("wb") as file:
            try:
                while True:
                    file.write(b"x" * 65536)
                    file.flush()
            except OSError:
                return

    at_step(store, 2, fill)
    with pytest.raises(UserError, match="the disk is full"):
        sft(store, spec)
    ballast.unlink()
    assert losses(sft(store, spec)) == pytest.approx(wanted, abs=1e-3)
    assert "going on from step" in capfd.readouterr().err
