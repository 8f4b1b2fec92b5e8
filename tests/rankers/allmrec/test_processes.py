"""Training in two processes comes to what training in one with as many cases a step does."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

ROOT = Path(__file__).parents[3]
WORKER = "tests.rankers.allmrec.process_worker"


def trained(form: str, file: Path, processes: int) -> dict:
    alone = [sys.executable, "-m", WORKER]
    together = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node"]
    command = [*together, str(processes), "-m", WORKER] if processes > 1 else alone
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [*command, form, str(file)], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return torch.load(file, weights_only=True)


@pytest.mark.slow
@pytest.mark.parametrize("form", ["allmrec", "allmrec_list", "llmsrec"])
def test_two_processes_train_like_one(form: str, tmp_path: Path) -> None:
    two, one = (trained(form, tmp_path / f"{count}.pt", count) for count in (2, 1))
    assert (two["processes"], one["processes"]) == (2, 1)
    assert two["train"] == pytest.approx(one["train"], abs=1e-4)
    assert two["held_out"] == pytest.approx(one["held_out"], abs=1e-4)
    assert two["parts"].keys() == one["parts"].keys() and min(two["parts"].values()) > 0.5
    for name, value in one["state"].items():
        torch.testing.assert_close(two["state"][name], value, atol=1e-3, rtol=1e-3, msg=name)
