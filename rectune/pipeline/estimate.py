"""`rectune plan RECIPE --estimate`: memory and time of training.

Memory is computed (rectune/models/memory.py). Time is measured on a few steps of the real stage if its model
is prepared and the device is this machine's, else computed from floating-point operations; every figure says
which.
"""

from __future__ import annotations

import difflib
import math
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import mean
from typing import TYPE_CHECKING, Any

from rectune.core.artifacts import ArtifactStore
from rectune.core.errors import UserError
from rectune.core.extras import needs_extra
from rectune.core.progress import say
from rectune.core.recipe import Recipe
from rectune.core.settings import ModelsConfig
from rectune.models.memory import MemoryEstimate, TrainingSetup, TrainingStep, estimate, step_flops
from rectune.pipeline.estimate_rows import (
    DPO,
    SFT,
    RowLengths,
    SpeedProbe,
    TrainingStage,
    is_packed,
    probe,
    rows_of,
    why_no_probe,
)  # fmt: skip
from rectune.pipeline.machines import process_group_of
from rectune.pipeline.plan import PlannedStage

if TYPE_CHECKING:
    from rectune.models.meta_model import MetaModel

# Resident bytes of a training process before it holds anything of its own: Python, torch, transformers, trl,
# DeepSpeed. On a CPU measured (`make bench-estimate` shows it again); on a GPU it is the CUDA context, the
# libraries' workspaces and what the allocator loses between blocks, and assumed: there was none to measure
# on.
CPU_OVERHEAD = 1.0 * 2**30
GPU_OVERHEAD = 1.5 * 2**30
# Share of the peak that training reaches: on a GPU assumed; on a CPU about what the 135M model reaches on two
# quiet cores,
# 70 to 120 tokens a second where a matrix product makes 150 GFLOP/s.
_GPU_SHARE = 0.30
_CPU_SHARE = 0.40
_SPARE = 0.92  # share of a device's memory that a stage may plan to fill
_WORTH = 0.02  # share of the memory below which an option is not shown


@dataclass(frozen=True)
class DeviceSpec:
    """`memory` in bytes; `peak` in floating-point operations a second, 0 where it has to be measured."""

    name: str
    memory: int
    peak: float
    gpu: bool


# GiB, and dense 16-bit matrix products with float32 sums in TFLOP/s, from the vendor's data sheets.
_SHEETS = {
    "a10": ("NVIDIA A10", 24, 125), "a100-40": ("NVIDIA A100 40 GB", 40, 312),
    "a100-80": ("NVIDIA A100 80 GB", 80, 312), "h100": ("NVIDIA H100 80 GB", 80, 989),
    "l4": ("NVIDIA L4", 24, 121), "l40s": ("NVIDIA L40S", 48, 362),
    "rtx3090": ("NVIDIA RTX 3090", 24, 71), "rtx4090": ("NVIDIA RTX 4090", 24, 165),
}  # fmt: skip
DEVICES = {
    key: DeviceSpec(name, gib * 2**30, teraflops * 1e12, gpu=True)
    for key, (name, gib, teraflops) in _SHEETS.items()
}


def find_device(name: str) -> DeviceSpec:
    """The device of that name, or without a name this machine's.

    Raises:
        UserError: it is not in the table.
    """
    if not name:
        return _device_here()
    if name not in DEVICES:
        near = difflib.get_close_matches(name, DEVICES, n=1)
        hint = f"{f'did you mean {near[0]}? ' if near else ''}known: {', '.join(DEVICES)}"
        raise UserError(f"no figures of a device {name}", where="--device", hint=hint)
    return DEVICES[name]


def _device_here() -> DeviceSpec:
    import psutil
    import torch

    if not torch.cuda.is_available():
        cores = psutil.cpu_count(logical=False) or psutil.cpu_count() or 1
        return DeviceSpec(f"{cores} CPU cores", psutil.virtual_memory().total, 0.0, gpu=False)
    found = torch.cuda.get_device_properties(0)
    known = known_device(found.name)
    return DeviceSpec(found.name, found.total_memory, known.peak if known else 0.0, gpu=True)


def known_device(name: str) -> DeviceSpec | None:
    """The device of the table for a driver's name, as `NVIDIA A100-SXM4-80GB`; None if there is none."""
    words = set(name.replace("-", " ").split())
    # Without maker and memory: "NVIDIA A100 80 GB" is A100.
    models = {key: one.name.partition(" ")[2].removesuffix(" GB") for key, one in DEVICES.items()}
    fits = (
        key for key, model in models.items() if {w for w in model.split() if w not in ("40", "80")} <= words
    )
    return DEVICES.get(next(fits, ""))


def measured_peak(device: DeviceSpec) -> float:
    """Operations per second of a matrix product in the training type, the best within half a second.

    The best, since other load on the machine only makes it slower.
    """
    import torch

    kind, size = (torch.bfloat16, 4096) if device.gpu else (torch.float32, 512)
    left = torch.rand(size, size, dtype=kind, device="cuda" if device.gpu else "cpu")
    best, ends = float("inf"), time.monotonic() + 0.5
    while time.monotonic() < ends:
        begun = time.perf_counter()
        float((left @ left)[0, 0])  # reading a value waits for it
        best = min(best, time.perf_counter() - begun)
    return 2.0 * size**3 / best


def precision_of(models: ModelsConfig, device: DeviceSpec) -> str:
    """The type of activations, by name."""
    if models.compute_dtype not in ("auto", "native"):
        return models.compute_dtype
    if models.compute_dtype == "native" and not device.gpu:
        from rectune.models.loading import processor_has_amx

        return "bfloat16" if processor_has_amx() else "float32"
    return "bfloat16" if device.gpu else "float32"


@dataclass(frozen=True)
class MemoryOption:
    """A recipe key, a value for it, and the bytes per process that this saves."""

    key: str
    change: str
    saves: int


@dataclass(frozen=True)
class Estimate:
    """One training stage.

    `tokens` are those of all epochs, both answers of a pair counted; `probe` is the measurement of a short
    run, `seconds` the estimated time, and `how` says how it was found.
    """

    name: str
    rows: RowLengths
    tokens: float
    steps: int
    memory: MemoryEstimate
    memory_options: tuple[MemoryOption, ...]
    probe: SpeedProbe | None
    seconds: float
    how: str
    world_size: int


@dataclass(frozen=True)
class EstimateInputs:
    """What is estimated: the model and where its config was read, and the device."""

    recipe: Recipe
    model: MetaModel
    source: str
    device: DeviceSpec

    def memory(self, training: TrainingSetup, step: TrainingStep) -> MemoryEstimate:
        """The peak memory of one process of a training stage."""
        overhead = round(GPU_OVERHEAD if self.device.gpu else CPU_OVERHEAD)
        return estimate(self.model, self.recipe.models, training, step, overhead)


@needs_extra("an estimate of training", "peft")
def make_estimate(
    recipe: Recipe, steps: list[PlannedStage], store: ArtifactStore, device: str, *, probing: bool
) -> tuple[EstimateInputs, list[Estimate]]:
    """Estimate `sft` and `dpo`.

    Args:
        recipe: the recipe.
        steps: its plan; finished stages give exact rows.
        store: the artifact store.
        device: a name of `DEVICES`, or empty for this machine's.
        probing: whether to run a few steps of each stage where that is possible.

    Raises:
        UserError: the model's config is unavailable, the model cannot be trained, or the device is unknown.
    """
    from rectune.models.config import find_config
    from rectune.models.meta_model import MetaModel

    folders = {s.stage.name: store.folder(s.stage.name, s.key) for s in steps if s.state == "finished"}
    found = find_device(device)
    checkpoint = folders["base"] / "checkpoint" if "base" in folders else None
    config, source = find_config(recipe.models.base, checkpoint)
    precision = 4 if precision_of(recipe.models, found) == "float32" else 2
    model = MetaModel(config, recipe.train.lora, precision, found.gpu)
    subject = EstimateInputs(recipe, model, source, found)
    unwanted = "another device was asked about" if device else "" if probing else "no probe was wanted"
    return subject, [_estimate(subject, stage, folders, unwanted) for stage in (SFT, DPO)]


def _estimate(
    subject: EstimateInputs, stage: TrainingStage, folders: Mapping[str, Path], unwanted: str
) -> Estimate:
    recipe, settings = subject.recipe, stage.settings(subject.recipe)
    training = TrainingSetup(settings, process_group_of(settings).world_size, reference=stage is DPO)
    rows = rows_of(stage, recipe, folders)
    memory = subject.memory(training, largest_step(rows, training))
    batches = rows.packed(settings.max_length) if is_packed(settings) else rows.count
    step_rows = (
        settings.per_device_train_batch_size * settings.gradient_accumulation_steps * training.world_size
    )
    why, measured = unwanted or why_no_probe(stage, recipe, folders), None
    if not why:
        say(f"{stage.name}: a few steps as a probe")
        measured = probe(stage, recipe, folders, rows)
    seconds, how = _duration(subject, training, rows, measured, why)
    return Estimate(
        stage.name,
        rows,
        tokens=rows.tokens * settings.num_train_epochs * training.sequences,
        steps=math.ceil(batches / step_rows * settings.num_train_epochs),
        memory=memory,
        memory_options=tuple(_memory_options(subject, stage, training, rows, memory.total)),
        probe=measured,
        seconds=seconds,
        how=how,
        world_size=training.world_size,
    )


def largest_step(rows: RowLengths, training: TrainingSetup) -> TrainingStep:
    """The batch that takes the most memory: all rows as long as the longest. A pair of DPO is two rows."""
    count = training.settings.per_device_train_batch_size * training.sequences
    packed = is_packed(training.settings)
    length = training.settings.max_length if packed else rows.longest
    share = max(answer / length for answer, length in zip(rows.trained, rows.lengths, strict=True))
    trained = round(count * length * share) if packed else count * max(rows.trained)
    return TrainingStep(count, length, trained)


def _duration(
    subject: EstimateInputs, training: TrainingSetup, rows: RowLengths, probe: SpeedProbe | None, why: str
) -> tuple[float, str]:
    """Seconds of the stage, and how they were estimated."""
    tokens = rows.tokens * training.settings.num_train_epochs * training.sequences
    if probe and probe.rate:
        return probe.start + tokens / probe.rate, f"measured: {probe.rate:,.0f} tokens/s"
    device = subject.device
    share, peak = _GPU_SHARE if device.gpu else _CPU_SHARE, device.peak or measured_peak(device)
    workers = training.world_size if device.gpu else 1  # processes on a CPU share its cores
    seconds = _operations(subject, training, rows) / (peak * share * workers)
    return seconds, f"arithmetic: {share:.0%} of {peak / 1e12:.3g} TFLOP/s a process; {why}"


def _operations(subject: EstimateInputs, training: TrainingSetup, rows: RowLengths) -> float:
    """Floating-point operations of the whole stage, padding included."""
    settings = training.settings
    if is_packed(settings):
        tokens, length = rows.tokens, settings.max_length
    else:
        batch = settings.per_device_train_batch_size * training.sequences
        tokens, length = rows.count * rows.padded(batch) / batch, round(mean(rows.lengths))
    seen = round(tokens * settings.num_train_epochs * training.sequences)
    return step_flops(subject.model, training, seen, length)


def _memory_options(
    subject: EstimateInputs, stage: TrainingStage, training: TrainingSetup, rows: RowLengths, now: int
) -> list[MemoryOption]:
    """The recipe keys that would save memory, the largest saving first."""
    found = []
    for key, value, change in _changes(training):
        other = replace(training, settings=training.settings.model_copy(update=change))
        saves = now - subject.memory(other, largest_step(rows, other)).total
        if saves > _WORTH * now:
            found.append(MemoryOption(f"{stage.section}.{key}", value, saves))
    return sorted(found, key=lambda option: -option.saves)


def _changes(training: TrainingSetup) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Keys, their new values as text, and the resulting settings."""
    now = training.settings
    if not now.gradient_checkpointing:
        yield "gradient_checkpointing", "true", {"gradient_checkpointing": True}
    if now.per_device_train_batch_size > 1:
        half = now.per_device_train_batch_size // 2
        added = now.gradient_accumulation_steps
        words = f"{2 * half} -> {half}, gradient_accumulation_steps {added} -> {2 * added}"
        yield "per_device_train_batch_size", words, {"per_device_train_batch_size": half}
    if training.world_size > 1 and now.zero_stage < 3:
        yield "zero_stage", f"{now.zero_stage} -> 3", {"zero_stage": 3}
    for offload, least in (("optimizer", 2), ("parameters", 3)):
        if now.offload == "none" or (offload, now.offload) == ("parameters", "optimizer"):
            zero = max(least, now.zero_stage)
            words = offload if zero == now.zero_stage else f"{offload}, zero_stage {now.zero_stage} -> {zero}"
            yield "offload", words, {"offload": offload, "zero_stage": zero}


def fits(memory: MemoryEstimate, subject: EstimateInputs, world_size: int) -> bool:
    """Whether it fits with a margin; processes on a CPU share its memory."""
    needed = memory.total if subject.device.gpu else memory.total * world_size + sum(memory.host.values())
    return needed <= _SPARE * subject.device.memory
