"""Tuning a random model with the dimensions of a 7B one: the stage `sft` against a bare trl.

NF4, LoRA of rank 64, rows of 2048 tokens, gradient checkpointing, on the examples of `bench.gpu_rows`; each
system in a process of its own, the packed ones first, as long as time is left. Tokens are those of the
examples, padding left out; their rate leaves out the first two steps, in which kernels are loaded, and the
last. MFU is the share of the device's peak by its data sheet: 4 N operations a token for N weights, 2 N
forward and 2 N backward, since frozen weights have no gradient; what gradient checkpointing computes twice
counts once. Memory stands beside what `rectune plan --estimate` computes for the packed rows.
"""

from __future__ import annotations

import tempfile
import time
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from bench.gpu_part import Part, asked
from bench.model_dims import TINY, Shape
from bench.train import Result, Setting, run_system

_LONGEST = 110.0  # seconds of one system: whatever takes longer must not cost the others their turn
_OPERATIONS = 4  # a token and weight: 2 forward, 2 backward through frozen weights
# Name -> the system of `bench.train`, and its attention; the most interesting first.
_SYSTEMS = {
    "stage, packed": ("stage, packed", "auto"),
    "trl, packed": ("trl, packed", "auto"),
    "stage, packed, blocks": ("stage, packed", "blocks"),
    "stage": ("stage", "auto"),
    "trl, adapters in float32": ("trl, adapters in float32", "auto"),
}


def measure(part: Part) -> None:
    """All systems that there is time for; prints and writes each as it is done."""
    import torch

    if not torch.cuda.is_available() and not part.tiny:
        raise SystemExit("no accelerator: PyTorch sees none here; --tiny tries the part on a CPU")
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        begun = time.monotonic()
        weights = write_checkpoint(folder / "checkpoint", TINY if part.tiny else Shape())
        figures: dict[str, Any] = {"checkpoint_seconds": time.monotonic() - begun, "weights": weights}
        print(f"{weights / 1e9:.2f} billion weights written in {figures['checkpoint_seconds']:.0f} s")
        figures |= {"systems": {}, **_device()}
        part.write(figures)
        setting = _setting(part, folder / "checkpoint")
        for name in list(_SYSTEMS)[: 3 if part.tiny else None]:
            _run(part, name, setting, folder, figures)
        _note_estimate(part, setting, figures)
    print(f"\n{_table(figures)}", flush=True)


def _setting(part: Part, checkpoint: Path) -> Setting:
    rows = str(part.rows.resolve() / "kept.parquet")
    if part.tiny:
        return Setting(str(checkpoint), rows, r=4)
    return Setting(str(checkpoint), rows, 8, 4, 2048, compute="bfloat16", checkpointing=True, r=64)


def _run(part: Part, name: str, setting: Setting, folder: Path, figures: dict[str, Any]) -> None:
    """One system; what fails is said and left out."""
    system, attention = _SYSTEMS[name]
    taken = [float(run["wall"]) for run in figures["systems"].values()]
    if part.left < max([20.0, *taken]):
        print(f"{name}: no time left", flush=True)
        return
    begun = time.monotonic()
    try:
        found = run_system(
            system,
            replace(setting, attention=attention),
            folder,
            part.left if part.tiny else min(part.left, _LONGEST),
        )
    except SystemExit as failed:
        print(f"{name}: {str(failed)[-3000:]}", flush=True)
        figures.setdefault("failed", {})[name] = str(failed)[-3000:]
    else:
        figures["systems"][name] = _figures(found, figures) | {"wall": time.monotonic() - begun}
    part.write(figures)


def _figures(run: Result, device: dict[str, Any]) -> dict[str, Any]:
    rate = run.steady * run.tokens / run.padded if run.steady else run.tokens / run.seconds
    mfu = _OPERATIONS * device["weights"] * rate / device["peak"] if device["peak"] else None
    return asdict(run) | {"tokens_per_second": rate, "mfu": mfu}


def write_checkpoint(folder: Path, shape: Shape) -> int:
    """Write a bfloat16 model of that shape and the embedded tokenizer; returns how many weights multiply."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    from rectune.models.loading import gguf_tokenizer
    from rectune.models.reference import gguf_file

    tokenizer = gguf_tokenizer(gguf_file("embedded"))
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=shape.width,
        intermediate_size=shape.inner,
        num_hidden_layers=shape.layers,
        num_attention_heads=shape.heads,
        num_key_value_heads=shape.key_heads,
        max_position_embeddings=8192,
        dtype=torch.bfloat16,
    )
    torch.manual_seed(0)
    torch.set_default_dtype(torch.bfloat16)  # never in 32 bits, which would take twice the memory and time
    try:
        with torch.device("cuda" if torch.cuda.is_available() else "cpu"):
            model = LlamaForCausalLM(config)
    finally:
        torch.set_default_dtype(torch.float32)
    model.save_pretrained(folder, max_shard_size="2GB")
    tokenizer.save_pretrained(folder)
    embedded: int = model.get_input_embeddings().weight.numel()
    count = sum(int(weight.numel()) for weight in model.parameters()) - embedded
    del model
    if torch.cuda.is_available():
        torch.cuda.empty_cache()  # the systems' processes need it
    return count


def _device() -> dict[str, Any]:
    """Name, and operations a second: `peak` by the data sheet (0 unknown), `product` measured."""
    import torch
    from trl.trainer.utils import get_peak_flops

    from rectune.pipeline.estimate import find_device, measured_peak

    device = find_device("")
    if not device.gpu:
        return {"device": device.name, "peak": 0.0, "product": 0.0}
    product = measured_peak(device)
    torch.cuda.empty_cache()
    return {"device": device.name, "peak": get_peak_flops(device.name, "bfloat16") or 0.0, "product": product}


def _note_estimate(part: Part, setting: Setting, figures: dict[str, Any]) -> None:
    """What `rectune plan --estimate` would say of the packed rows' memory; a failure is said."""
    try:
        figures["estimate"] = estimated(setting)
    except Exception as failed:  # the measurements must go on
        print(f"no estimate: {type(failed).__name__}: {failed}", flush=True)
    part.write(figures)


def estimated(setting: Setting) -> dict[str, float]:
    """Bytes by what holds them, for the stage with packed rows."""
    from transformers import AutoConfig

    from bench.train_rival import rows_of
    from bench.train_stage import sections
    from rectune.core.recipe import parse_recipe
    from rectune.models.memory import TrainingSetup
    from rectune.models.meta_model import MetaModel
    from rectune.pipeline.estimate import EstimateInputs, find_device, largest_step, precision_of
    from rectune.pipeline.estimate_rows import RowLengths

    recipe, device = parse_recipe(sections(asdict(setting), packing=True)), find_device("")
    precision = 4 if precision_of(recipe.models, device) == "float32" else 2
    config = AutoConfig.from_pretrained(setting.checkpoint)
    subject = EstimateInputs(recipe, MetaModel(config, recipe.train.lora, precision, device.gpu), "", device)
    rows = rows_of(asdict(setting))
    lengths = tuple(len(row["labels"]) for row in rows)
    trained = tuple(sum(label >= 0 for label in row["labels"]) for row in rows)
    training = TrainingSetup(recipe.train, 1)
    step = largest_step(RowLengths(len(rows), lengths, trained, ""), training)
    found = subject.memory(training, step)
    return {name: float(held) for name, held in found.device.items()} | {"total": float(found.total)}


def _table(figures: dict[str, Any]) -> str:
    lines = [
        f"{figures['device']}; peak {figures['peak'] / 1e12:.0f} TFLOP/s by the sheet, "
        f"{figures['product'] / 1e12:.0f} in a product of 4096",
        f"{'':<26}{'tokens':>8}{'padded':>8}{'tokens/s':>10}{'MFU':>8}{'loss':>8}"
        f"{'peak GiB':>10}{'in use':>8}{'wall s':>8}",
    ]
    for name, run in figures["systems"].items():
        mfu = f"{run['mfu']:.1%}" if run["mfu"] else "-"
        lines.append(
            f"{name:<26}{run['tokens']:>8}{run['padded']:>8}{run['tokens_per_second']:>10.0f}{mfu:>8}"
            f"{run['loss']:>8.3f}{run['accelerator'] or run['memory']:>10.2f}{run['used']:>8.2f}"
            f"{run['wall']:>8.0f}"
        )
    if "estimate" in figures:
        held = {name: held / 2**30 for name, held in figures["estimate"].items()}
        parts = ", ".join(f"{name} {gib:.2f}" for name, gib in held.items() if name != "total")
        lines.append(f"estimated for the packed rows: {held['total']:.2f} GiB ({parts})")
    rates = {name: run["tokens_per_second"] for name, run in figures["systems"].items()}
    for one, other in (("stage, packed", "trl, packed"), ("stage, packed", "stage")):
        if one in rates and other in rates:
            lines.append(f"{one} / {other}: {rates[one] / rates[other]:.2f}")
    return "\n".join(lines)


if __name__ == "__main__":
    measure(asked("train", __doc__))
