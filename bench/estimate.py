"""`make bench-estimate`: the estimate of the demo's training (`rectune plan --estimate`) against measurement.

Runs the demo up to the filter, estimates `sft`, runs `sft`, and compares peak memory and time.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from rectune.core.artifacts import ArtifactStore
from rectune.core.recipe import load_recipe
from rectune.pipeline.estimate import CPU_OVERHEAD, Estimate, make_estimate
from rectune.pipeline.plan import make_plan

GIB = 2**30


def main() -> None:
    """Print estimate and outcome side by side."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--recipe", type=Path, default=Path("recipes/demo.yaml"))
    parser.add_argument("--runs", type=Path, default=Path("runs/bench-estimate"))
    parser.add_argument("overrides", nargs="*")
    asked = parser.parse_args()
    store = ArtifactStore(asked.runs)
    _run(asked.recipe, asked.overrides, asked.runs, "filter")
    estimate = _estimate(asked.recipe, asked.overrides, store)
    _run(asked.recipe, asked.overrides, asked.runs, "sft")
    manifest = store.manifest("sft", store.resolve(asked.recipe.stem, "sft").name)
    print(compared(estimate, float(manifest["seconds"]), int(manifest["peak_memory"])))


def _run(recipe: Path, overrides: Sequence[str], runs: Path, until: str) -> None:
    command = [sys.executable, "-m", "rectune.cli.main", "run", str(recipe), *overrides]
    subprocess.run([*command, "--until", until, "--runs", str(runs)], check=True)


def _estimate(recipe: Path, overrides: Sequence[str], store: ArtifactStore) -> Estimate:
    loaded = load_recipe(recipe, list(overrides))
    _, stages = make_estimate(loaded, make_plan(loaded, store, "sft"), store, "", probing=True)
    return stages[0]


def compared(estimate: Estimate, seconds: float, memory: int) -> str:
    """One line per figure: estimated, measured, and their ratio."""
    assert estimate.probe is not None  # the base model is there
    start = estimate.memory.device["framework"] / GIB
    lines = [
        f"{'':<34}{'estimate':>12}{'measured':>12}{'ratio':>8}",
        _line("peak memory, arithmetic (GiB)", estimate.memory.total / GIB, memory / GIB),
        _line("peak memory, probe (GiB)", estimate.probe.memory / GIB, memory / GIB),
        _line("time (s)", estimate.seconds, seconds),
        f"{estimate.how}; of the memory {start:.2f} GiB ({CPU_OVERHEAD / GIB:.2f} on a CPU) "
        "are the framework's",
    ]
    return "\n".join(lines)


def _line(name: str, guess: float, found: float) -> str:
    return f"{name:<34}{guess:>12.2f}{found:>12.2f}{guess / found:>8.2f}"


if __name__ == "__main__":
    main()
