"""Small training runs: their examples, and the driver started as the launcher starts a stage."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Collection
from pathlib import Path
from typing import Any

from rectune.core.rows import write_rows
from rectune.core.types import Example, Prompt, Provenance, with_id
from rectune.models import metrics
from tests.models.tiny import tiny_checkpoint

DRIVER = Path(__file__).with_name("driver.py")
# Settings of `train` and `align` for runs of a few steps, each of which is logged.
SHORT: dict[str, Any] = {
    "learning_rate": 2e-4,
    "max_length": 768,
    "schedule": "cosine",
    "gradient_checkpointing": False,
    "eval_steps": 50,
    "patience": 0,
    "seed": 0,
    "log_steps": 1,
    "save_steps": 10,
    "report_to": [],
}
SINGLE = SHORT | {"packing": False, "max_loss_ratio": 0.0}  # of `train`
PROVENANCE = Provenance("tiny", "Q8_0", "{}", 0, "llama.cpp")


def make_example(number: int, response: str = "") -> Example:
    """A short prompt and a response that depends on the number."""
    prompt = Prompt(
        id="",
        domain="films",
        scenario="passive",
        form="direct",
        locale="en",
        split="train",
        user=f"u{number}",
        system="You recommend.",
        instruction=f"Somebody saw film {number}. What next?",
        history=("a",),
        candidates=(),
        target="b",
        query="",
        template="t",
        history_domain="films",
    )
    text = response or f"Film {number + 1} is much like it. My recommendation: Film {number + 1}"
    return with_id(Example("", with_id(prompt), text, PROVENANCE))


def make_inputs(folder: Path, count: int, odd: Collection[int] = ()) -> dict[str, Path]:
    """The folders that the stage reads: the tiny base and this many kept examples.

    The answers of the `odd` ones have no word in common with the others'.
    """
    (folder / "filter").mkdir(parents=True, exist_ok=True)
    examples = [make_example(n, f"{n} zebras quietly" if n in odd else "") for n in range(count)]
    write_rows(folder / "filter" / "kept.parquet", examples, Example)
    return {"base": tiny_checkpoint().parent, "filter": folder / "filter"}


def start(
    out: Path,
    inputs: dict[str, Path],
    settings: dict[str, Any],
    processes: int = 1,
    stage: str = "rectune.train.sft",
) -> subprocess.Popen[bytes]:
    """Start a stage in processes of its own; its output goes to a log beside `out`."""
    job, section = (
        out.with_suffix(".job"),
        {"rectune.train.sft": "train", "rectune.align.dpo": "align"}[stage],
    )
    sections = {"models": {"base": "tiny"}, section: settings}
    folders = {name: str(path) for name, path in inputs.items()}
    job.write_text(json.dumps({"stage": stage, "sections": sections, "inputs": folders, "out": str(out)}))
    command = [sys.executable]
    if processes > 1:
        command += [
            "-m",
            "torch.distributed.run",
            f"--nproc_per_node={processes}",
            f"--master_port={free_port()}",
        ]
    log = out.with_suffix(".log").open("wb")
    alone = {
        name: value for name, value in os.environ.items() if name not in ("RANK", "LOCAL_RANK", "WORLD_SIZE")
    }
    environment = alone | {"PYTHONPATH": str(Path.cwd()), "OMP_NUM_THREADS": "1"}
    return subprocess.Popen([*command, str(DRIVER), str(job)], env=environment, stdout=log, stderr=log)


def finish(
    out: Path,
    inputs: dict[str, Path],
    settings: dict[str, Any],
    processes: int = 1,
    stage: str = "rectune.train.sft",
) -> dict[str, Any]:
    """Run a stage to its end and return its figures."""
    code = start(out, inputs, settings, processes, stage).wait()
    assert code == 0, out.with_suffix(".log").read_text(errors="replace")[-3000:]
    figures: dict[str, Any] = json.loads(out.with_suffix(".json").read_text())
    return figures


def losses(out: Path) -> list[float]:
    """The logged losses, in order; no step may be missing or twice."""
    rows = [row for row in metrics.read(out / "metrics.jsonl") if "loss" in row]
    assert [row["step"] for row in rows] == list(range(1, len(rows) + 1))
    return [row["loss"] for row in rows]


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
