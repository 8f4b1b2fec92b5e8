"""Many processes, every ZeRO stage, kills: the losses are those of one uninterrupted process."""

import os
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from rectune.models.checkpoints import last_complete
from tests.train.runs import SINGLE, finish, losses, make_inputs, start

ROWS = 8
LORA = {"r": 4, "lora_alpha": 8, "lora_dropout": 0.0}
TRAIN = SINGLE | {"warmup_ratio": 0.0, "learning_rate": 2e-3, "eval_user_fraction": 0.0, "lora": LORA}


def settings(zero: int, rows: int, **changes: Any) -> dict[str, Any]:
    return TRAIN | {"zero_stage": zero, "per_device_train_batch_size": rows} | changes


@pytest.mark.slow
def test_two_processes_under_zero_2_train_like_one(tmp_path: Path) -> None:
    inputs = make_inputs(tmp_path, ROWS)
    together = finish(tmp_path / "two", inputs, settings(2, 2), processes=2)
    finish(tmp_path / "one", inputs, settings(0, 4))
    assert losses(tmp_path / "two") == pytest.approx(losses(tmp_path / "one"), abs=1e-3)
    assert (together.processes, together.steps) == (2, ROWS // 4)
    assert together.deepspeed["zero_optimization"]["stage"] == 2
    assert not (tmp_path / "two" / "checkpoints").exists()


@pytest.mark.slow
@pytest.mark.parametrize("zero", [0, 1, 3])
def test_every_stage_trains_like_one_process(tmp_path: Path, zero: int) -> None:
    inputs = make_inputs(tmp_path, ROWS)
    finish(tmp_path / "two", inputs, settings(zero, 2), processes=2)
    finish(tmp_path / "one", inputs, settings(0, 4))
    assert losses(tmp_path / "two") == pytest.approx(losses(tmp_path / "one"), abs=1e-3)


@pytest.mark.slow
def test_accumulated_steps_are_those_of_a_larger_batch(tmp_path: Path) -> None:
    inputs = make_inputs(tmp_path, ROWS)
    finish(tmp_path / "two", inputs, settings(2, 2, gradient_accumulation_steps=2))
    finish(tmp_path / "one", inputs, settings(2, 4))
    assert losses(tmp_path / "two") == pytest.approx(losses(tmp_path / "one"), abs=1e-3)


@pytest.mark.slow
@pytest.mark.parametrize(("zero", "processes"), [(0, 1), (2, 2), (3, 2)])
def test_a_killed_run_goes_on_as_if_nothing_had_happened(tmp_path: Path, zero: int, processes: int) -> None:
    inputs = make_inputs(tmp_path, ROWS)
    job = settings(zero, 4 // processes, num_train_epochs=6, save_steps=1)
    out = tmp_path / "killed"
    run = start(out, inputs, job, processes)
    while run.poll() is None and (last_complete_of(out, processes) or 0) < 3:
        time.sleep(0.05)
    assert run.poll() is None, out.with_suffix(".log").read_text(errors="replace")[-3000:]
    kill_tree(run.pid)
    run.wait()
    finish(out, inputs, job, processes)
    assert "going on from step" in out.with_suffix(".log").read_text(errors="replace")
    finish(tmp_path / "whole", inputs, job, processes)
    assert losses(out) == pytest.approx(losses(tmp_path / "whole"), abs=1e-3)
    assert (out / "adapter" / "adapter_model.safetensors").exists()
    assert not (out / "checkpoints").exists()


def last_complete_of(out: Path, processes: int) -> int | None:
    """The step of the newest sealed checkpoint of a run with so many processes."""
    before = os.environ.get("WORLD_SIZE")
    os.environ["WORLD_SIZE"] = str(processes)
    try:
        newest = last_complete(out / "checkpoints")
    finally:
        os.environ.pop("WORLD_SIZE") if before is None else os.environ.update(WORLD_SIZE=before)
    return int(newest.name.split("-")[1]) if newest else None


def kill_tree(pid: int) -> None:
    """kill -9 for a process that these tests started, and for its children."""
    import psutil

    family = [*psutil.Process(pid).children(recursive=True), psutil.Process(pid)]
    for process in family:
        process.send_signal(signal.SIGKILL)
    psutil.wait_procs(family[:-1], timeout=30)
