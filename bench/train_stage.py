"""One run of the stage `sft` for `bench.train`: `python -m bench.train_stage FOLDER [--packing]`."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any


def sections(setting: dict[str, Any], packing: bool) -> dict[str, Any]:
    """The parts of a recipe that the stage reads."""
    return {
        "models": {"base": "embedded", "compute_dtype": setting["compute"]},
        "train": {
            "zero_stage": 0,
            "per_device_train_batch_size": setting["packed"] if packing else setting["batch"],
            "max_length": setting["max_length"],
            "packing": packing,
            "attn_implementation": setting["attention"],
            "eval_user_fraction": 0.0,
            "gradient_checkpointing": setting["checkpointing"],
            "save_steps": setting["steps_between_saves"],
            "logging_steps": 1,  # as the rival has it; every step's tokens are then in the metrics
            "lora": {"r": setting["r"], "lora_alpha": 2 * setting["r"]},
        },
    }


def main(folder: Path, packing: bool) -> None:
    """Train, and write `result.json`."""
    from rectune.core.recipe import parse_recipe
    from rectune.models import metrics
    from rectune.train.sft import run

    setting = json.loads((folder / "setting.json").read_text(encoding="utf-8"))
    inputs, out = folder / "inputs", folder / ("packed" if packing else "single")
    for name, source in (("base/checkpoint", "checkpoint"), ("filter/kept.parquet", "examples")):
        link = inputs / name
        link.parent.mkdir(parents=True, exist_ok=True)
        link.unlink(missing_ok=True)
        link.symlink_to(setting[source])
    taken = watch_trainer()
    figures = run(
        parse_recipe(sections(setting, packing)), {name: inputs / name for name in ("base", "filter")}, out
    )
    rows = metrics.read(out / "metrics.jsonl")
    result = taken | {"tokens": sum(row["tokens"] for row in rows), "loss": figures.last_loss}
    result |= accelerator_memory()
    (folder / "result.json").write_text(json.dumps(result), encoding="utf-8")


def watch_trainer() -> dict[str, Any]:
    """Figures of the next training, filled in as it runs: `seconds`, `work` (CPU seconds), `padded`."""
    from rectune.models.distributed import join_processes

    join_processes(0)  # before trl is imported, as the stage does
    from rectune.train.sft_trainer import PackedSFTTrainer

    return watch(PackedSFTTrainer)


def watch(kind: Any) -> dict[str, Any]:
    """The figures of the next `train` of a trainer class."""
    import torch

    notes: dict[str, Any] = {"padded": 0}
    step, train, begins = kind.training_step, kind.train, list[tuple[float, int]]()

    def counted(self: Any, model: Any, inputs: dict[str, Any], items: Any = None) -> Any:
        if self.args.device.type == "cuda":
            torch.cuda.synchronize()
        tokens = inputs["input_ids"].numel()
        begins.append((time.monotonic(), tokens))
        notes["padded"] += tokens
        return step(self, model, inputs, items)

    def timed(self: Any, **arguments: Any) -> Any:
        begun, worked = time.monotonic(), time.process_time()
        ended = train(self, **arguments)
        notes.update(seconds=time.monotonic() - begun, work=time.process_time() - worked)
        notes["steady"] = steady_rate(begins)
        return ended

    kind.training_step, kind.train = counted, timed
    return notes


def steady_rate(begins: Sequence[tuple[float, int]]) -> float:
    """Tokens a second from (when a batch began, its tokens), without the first two and the last; else 0."""
    inner = begins[2:]
    if len(inner) < 2:
        return 0.0
    return sum(tokens for _, tokens in inner[:-1]) / (inner[-1][0] - inner[0][0])


def accelerator_memory() -> dict[str, float]:
    """GiB: `accelerator` that tensors took at most, `used` of the device now, all programs together."""
    import torch

    if not torch.cuda.is_available():
        return {}
    free, total = torch.cuda.mem_get_info()
    return {"accelerator": torch.cuda.max_memory_allocated() / 2**30, "used": (total - free) / 2**30}


if __name__ == "__main__":
    main(Path(sys.argv[1]), "--packing" in sys.argv)
