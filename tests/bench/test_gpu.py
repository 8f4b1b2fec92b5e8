"""bench/gpu.sh in its smallest sizes, on the processor."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from bench.measure_process import measure
from bench.train_stage import steady_rate

ROOT = Path(__file__).parents[2]


def test_the_steady_rate_leaves_out_the_first_two_batches_and_the_last() -> None:
    begins = [(0.0, 1000), (90.0, 1000), (100.0, 300), (101.0, 500), (102.0, 7000)]
    assert steady_rate(begins) == 400.0
    assert steady_rate(begins[:3]) == 0.0


def test_a_process_over_its_limit_is_ended() -> None:
    begun = time.monotonic()
    with pytest.raises(SystemExit, match="ended after 0 s"):
        measure("http.server", ["0"], limit=0.3)
    assert time.monotonic() - begun < 20


def test_an_unknown_part_is_refused() -> None:
    done = subprocess.run(
        ["bash", ROOT / "bench/gpu.sh", "dance"],
        env=os.environ | {"ROWS": str(ROOT), "PYTHON": sys.executable},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2
    assert "no part dance" in done.stderr


@pytest.mark.slow
def test_all_parts_leave_their_figures(tmp_path: Path) -> None:
    done = subprocess.run(
        ["bash", ROOT / "bench/gpu.sh"],
        env=os.environ | {"TINY": "1", "OUT": str(tmp_path), "PYTHON": sys.executable},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout[-5000:]
    train, stages, llama = (
        json.loads((tmp_path / f"{part}.json").read_text()) for part in ("train", "stages", "llama")
    )
    systems = train["systems"]
    assert systems["stage, packed"]["tokens"] == systems["trl, packed"]["tokens"] > 0
    assert train["estimate"]["total"] > train["estimate"]["framework"] > 0
    assert stages["sft, ZeRO-2"]["steps"] > 0
    assert stages["dpo, ZeRO-2"]["first_loss"] == pytest.approx(math.log(2), abs=0.01)
    assert all(run["written_tokens"] > 0 for run in llama["runs"].values())
    assert set(llama["runs"]) == {"1", "2", "one after the other (Llama)"}
