"""Small training runs: their examples, and a stage's processes, started as `launch` starts them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Collection
from pathlib import Path
from typing import Any

from rectune.core.figures import DpoFigures, SftFigures
from rectune.core.figures.read_records import read_record
from rectune.core.rows import write_rows
from rectune.core.types import Example, Prompt, Provenance, with_id
from rectune.models import metrics
from rectune.pipeline.worker import STATS, WORKER
from tests.models.tiny import tiny_checkpoint

# Settings of `train` and `align` for runs of a few steps, each of which is logged.
SHORT: dict[str, Any] = {
    "learning_rate": 2e-4,
    "max_length": 768,
    "lr_scheduler_type": "cosine",
    "gradient_checkpointing": False,
    "eval_steps": 50,
    "early_stopping_patience": 0,
    "seed": 0,
    "logging_steps": 1,
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
    """Start a stage in processes of its own; their output goes to a log beside `out`."""
    section = {"rectune.train.sft": "train", "rectune.align.dpo": "align"}[stage]
    out.mkdir(parents=True, exist_ok=True)
    spec = {
        "function": f"{stage}:run",
        "sections": {"models": {"base": "tiny"}, section: settings},
        "inputs": {name: str(path) for name, path in inputs.items()},
        "out": str(out),
        "run": "test",
        "process_group": {"processes": processes},
    }
    job = out.with_suffix(".job")
    job.write_text(json.dumps(spec))
    command = [*WORKER, str(job)]
    if processes > 1:
        agent = [sys.executable, "-P", "-m", "rectune.pipeline.torchrun"]
        command = [*agent, str(job), "--run", "test", "--node-rank", "0"]
    with out.with_suffix(".log").open("wb") as log:
        return subprocess.Popen(command, env=os.environ | {"OMP_NUM_THREADS": "1"}, stdout=log, stderr=log)


def finish(
    out: Path,
    inputs: dict[str, Path],
    settings: dict[str, Any],
    processes: int = 1,
    stage: str = "rectune.train.sft",
) -> Any:
    """Run a stage to its end and return its figures."""
    code = start(out, inputs, settings, processes, stage).wait()
    assert code == 0, out.with_suffix(".log").read_text(errors="replace")[-3000:]
    kind = DpoFigures if stage.endswith("dpo") else SftFigures
    return read_record(kind, stage, out / STATS)


def losses(out: Path) -> list[float]:
    """The logged losses, in order; no step may be missing or twice."""
    rows = [row for row in metrics.read(out / "metrics.jsonl") if "loss" in row]
    assert [row["step"] for row in rows] == list(range(1, len(rows) + 1))
    return [row["loss"] for row in rows]
