"""The stages `sft` and `dpo` on an accelerator, with the embedded model and the rows of `bench.gpu_rows`.

Each runs as `rectune run` runs it, in a process of its own, with NF4 weights: `sft` under ZeRO-2, `dpo`
on top of it, `sft` without DeepSpeed; where the first fails, `dpo` on top of the
last. What fails is printed, and the rest goes on.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from bench.gpu_part import Part, asked
from bench.gpu_rows import KEPT, PREFERENCES
from bench.measure_process import measure as measure_process

_LONGEST = 80.0  # seconds of one stage: whatever takes longer must not cost the others their turn
_SHOWN = ("steps", "tokens_per_second", "first_loss", "last_loss", "last_eval_loss", "adapter_changed")


def measure(part: Part) -> None:
    """All stages that there is time for; prints and writes each as it is done."""
    from rectune.models.prepare import make_checkpoint
    from rectune.models.reference import locate

    figures: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        for name, file in (("filter", KEPT), ("tag", PREFERENCES)):
            (folder / name).mkdir()
            (folder / name / file).symlink_to(part.rows.resolve() / file)
        (folder / "base").mkdir()
        make_checkpoint(locate("tiny" if part.tiny else "embedded"), folder / "base" / "checkpoint")
        print(f"{'':<14}{'seconds':>8}" + "".join(f"{name:>19}" for name in _SHOWN), flush=True)
        zero = 2 if _run(part, folder, "sft", 2, figures) else 0
        if zero or _run(part, folder, "sft", 0, figures):
            _run(part, folder, "dpo", zero, figures)
        if zero and not part.tiny:
            _run(part, folder, "sft", 0, figures)


def _run(part: Part, folder: Path, stage: str, zero: int, figures: dict[str, Any]) -> bool:
    """One stage in its own process; whether it worked."""
    name, begun = f"{stage}, ZeRO-{zero}", time.monotonic()
    if part.left < 10:
        print(f"{name}: no time left", flush=True)
        return False
    asked_for = {"stage": stage, "zero": zero, "tiny": part.tiny}
    (folder / "asked.json").write_text(json.dumps(asked_for), encoding="utf-8")
    try:
        measure_process(
            "bench.gpu_stages", [str(folder)], limit=part.left if part.tiny else min(part.left, _LONGEST)
        )
    except SystemExit as failed:
        figures[name] = {"failed": str(failed)[-6000:]}
        print(f"{name}: {str(failed)[-3000:]}", flush=True)
        part.write(figures)
        return False
    found: dict[str, Any] = json.loads((folder / "figures.json").read_text(encoding="utf-8"))
    figures[name] = found | {"wall": time.monotonic() - begun}
    part.write(figures)
    values = "".join(f"{found[key]:>19.4f}" if found[key] is not None else f"{'-':>19}" for key in _SHOWN)
    print(f"{name:<14}{figures[name]['wall']:>8.1f}{values}", flush=True)
    return True


def run_stage(folder: Path) -> None:
    """One stage in this process, as `asked.json` says; writes `figures.json`."""
    wanted = json.loads((folder / "asked.json").read_text(encoding="utf-8"))
    from rectune.models.distributed import join_processes

    join_processes(wanted["zero"])
    from bench.train_stage import accelerator_memory
    from rectune.align import dpo
    from rectune.core.recipe import parse_recipe
    from rectune.train import sft

    config = parse_recipe(sections(wanted["zero"], wanted["tiny"]))
    stage = sft.run if wanted["stage"] == "sft" else dpo.run
    out = folder / f"{wanted['stage']}-{wanted['zero']}"
    inputs = {name: folder / name for name in ("base", "filter", "tag")} | {
        "sft": folder / f"sft-{wanted['zero']}"
    }
    found = stage(config, inputs, out)
    kept = {name: getattr(found, name) for name in (*_SHOWN, "attention", "tokens") if hasattr(found, name)}
    (folder / "figures.json").write_text(json.dumps(kept | accelerator_memory()), encoding="utf-8")


def sections(zero: int, tiny: bool) -> dict[str, Any]:
    """The parts of a recipe that the stages read: the demo's learning rates, and rows that fill a GPU."""
    rows = 1 if tiny else 4
    shared: dict[str, Any] = {
        "zero_stage": zero,
        "max_length": 704 if tiny else 2048,
        "logging_steps": 1,
        "report_to": [],
    }
    return {
        "models": {"base": "tiny" if tiny else "embedded"},
        "train": {
            **shared,
            "learning_rate": 1e-3,
            "per_device_train_batch_size": rows,
            "eval_steps": 10,
            "lora": {"r": 16, "lora_alpha": 32},
        },
        "align": {
            **shared,
            "learning_rate": 5e-5,
            "per_device_train_batch_size": rows,
            "warmup_ratio": 0.0,
            "eval_steps": 10,
        },
    }


if __name__ == "__main__":
    if sys.argv[1].startswith("-"):
        measure(asked("stages", __doc__))
    else:
        run_stage(Path(sys.argv[1]))
