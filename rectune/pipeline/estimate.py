"""`rectune plan RECIPE --estimate`: what training would hold in memory, and how long it would take.

Memory is arithmetic (rectune/models/memory.py). Time comes from a few steps of the real stage where its model is here
and the device is the one that is asked about, else from floating-point operations; every figure says which.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rectune.core.progress import say
from rectune.core.recipe import Recipe
from rectune.core.runs import RunStore
from rectune.core.settings import Optimisation, Train
from rectune.models.memory import Memory, Place, Step, Training, estimate, step_flops
from rectune.models.shape import Shape, shape_of
from rectune.models.zero import deepspeed_config
from rectune.pipeline.estimate_device import (
    CPU_OVERHEAD,
    CPU_SHARE,
    GPU_OVERHEAD,
    GPU_SHARE,
    Device,
    find_device,
    measured_peak,
)
from rectune.pipeline.estimate_probe import Probe, can_probe, probe_dpo, probe_sft
from rectune.pipeline.estimate_rows import Rows, dpo_rows, sft_rows
from rectune.pipeline.machines import team_of
from rectune.pipeline.plan import Step as PlannedStep

_SPARE = 0.92  # share of a device's memory that a stage may plan to fill
_WORTH = 0.02  # share of the memory below which a knob is not worth a line


@dataclass(frozen=True)
class Knob:
    """A key of the recipe, what it would be set to, and the bytes a process that this saves."""

    key: str
    change: str
    saves: int


@dataclass(frozen=True)
class Estimate:
    """One training stage.

    `tokens` are those of all epochs, both answers of a pair counted; `probe` is what a short run measured, `seconds`
    how long the stage would take, found by `how`.
    """

    name: str
    rows: Rows
    tokens: float
    steps: int
    memory: Memory
    knobs: tuple[Knob, ...]
    probe: Probe | None
    seconds: float
    how: str
    world: int


@dataclass(frozen=True)
class Subject:
    """What is estimated: the model, its shape and where that was read, and the device."""

    recipe: Recipe
    shape: Shape
    source: str
    device: Device


def make_estimate(
    recipe: Recipe, steps: list[PlannedStep], store: RunStore, device: str, *, probing: bool
) -> tuple[Subject, list[Estimate]]:
    """Estimate `sft` and `dpo`.

    Args:
        recipe: whose training is meant.
        steps: its plan; finished stages give exact rows.
        store: where they are.
        device: a name of `DEVICES`, or empty for the one that is here.
        probing: whether to run a few steps of each stage where that is possible.

    Raises:
        UserError: the model's shape is not to be had, or no such device is known.
    """
    folders = {s.stage.name: store.folder(s.stage.name, s.key) for s in steps if s.state == "finished"}
    checkpoint = folders["base"] / "checkpoint" if "base" in folders else None
    found = find_device(device)
    subject = Subject(recipe, *shape_of(recipe.models.base, checkpoint), found)
    unwanted = "another device was asked about" if device else "" if probing else "no probe was wanted"
    return subject, [_stage(subject, name, folders, unwanted) for name in ("sft", "dpo")]


def _stage(subject: Subject, name: str, folders: Mapping[str, Path], unwanted: str) -> Estimate:
    recipe, section = subject.recipe, {"sft": "train", "dpo": "align"}[name]
    settings = getattr(recipe, section)
    world = team_of(settings).world
    rows = sft_rows(recipe, folders) if name == "sft" else dpo_rows(recipe, folders)
    training = Training(settings, recipe.train.lora, world, reference=name == "dpo")
    largest = largest_step(rows, training)
    place = place_of(subject)
    memory = estimate(subject.shape, recipe.models, training, largest, place)
    batches = rows.packed(settings.max_length) if is_packed(settings) else rows.count
    steps = math.ceil(batches / (settings.batch_size * settings.accumulation * world) * settings.epochs)
    why = unwanted or _no_probe(recipe, name, folders)
    probe = None if why else _probed(recipe, name, rows, folders)
    seconds, how = _duration(subject, training, rows, probe, why)
    knobs = tuple(_knobs(subject, training, rows, memory.total))
    tokens = rows.tokens * settings.epochs * training.sequences
    return Estimate(name, rows, tokens, steps, memory, knobs, probe, seconds, how, world)


def place_of(subject: Subject) -> Place:
    """Where a process of the recipe computes."""
    overhead = GPU_OVERHEAD if subject.device.gpu else CPU_OVERHEAD
    return Place(subject.device.gpu, subject.device.precision(subject.recipe.models), round(overhead))


def largest_step(rows: Rows, training: Training) -> Step:
    """The batch that takes the most memory: all its rows as long as the longest. A pair of DPO is two rows."""
    count = training.settings.batch_size * training.sequences
    packed = is_packed(training.settings)
    length = training.settings.max_length if packed else rows.longest
    share = max(answer / length for answer, length in zip(rows.trained, rows.lengths, strict=True))
    trained = round(count * length * share) if packed else count * max(rows.trained)
    return Step(count, length, trained)


def _no_probe(recipe: Recipe, name: str, folders: Mapping[str, Path]) -> str:
    """Why a stage cannot be probed here; empty if it can."""
    absent = [needed for needed in (("base", "sft") if name == "dpo" else ("base",)) if needed not in folders]
    if absent:
        return f"{' and '.join(absent)} would have to run before a probe"
    why = can_probe(recipe, "train" if name == "sft" else "align")
    return f"the recipe wants {why}" if why else ""


def _probed(recipe: Recipe, name: str, rows: Rows, folders: Mapping[str, Path]) -> Probe:
    say(f"{name}: a few steps as a probe")
    if name == "sft":
        return probe_sft(recipe, folders["base"], rows.lengths, rows.trained)
    return probe_dpo(recipe, folders["base"], folders["sft"], rows.lengths, rows.trained)


def is_packed(settings: Optimisation) -> bool:
    """Whether rows are filled up to `max_length` with several examples."""
    return isinstance(settings, Train) and settings.packing


def _duration(
    subject: Subject, training: Training, rows: Rows, probe: Probe | None, why: str
) -> tuple[float, str]:
    """Seconds of the stage, and how they were found."""
    tokens = rows.tokens * training.settings.epochs * training.sequences
    if probe and probe.rate:
        return probe.start + tokens / probe.rate, f"measured: {probe.rate:,.0f} tokens/s"
    share, peak = (GPU_SHARE, subject.device.peak) if subject.device.gpu else (CPU_SHARE, 0.0)
    peak = peak or measured_peak(subject.device)
    workers = training.world if subject.device.gpu else 1  # processes on a CPU share its cores
    seconds = _operations(subject, training, rows) / (peak * share * workers)
    return seconds, f"arithmetic: {share:.0%} of {peak / 1e12:.3g} TFLOP/s a process; {why}"


def _operations(subject: Subject, training: Training, rows: Rows) -> float:
    """Floating-point operations of the whole stage, padding included."""
    settings = training.settings
    average = rows.tokens / max(1, rows.count)
    if is_packed(settings):
        tokens, length = rows.tokens, float(settings.max_length)
    else:
        batch = settings.batch_size * training.sequences
        tokens = rows.tokens * rows.padded(batch) / (batch * average)
        length = average
    seen = round(tokens * settings.epochs * training.sequences)
    return step_flops(subject.shape, training, seen, round(length))


def _knobs(subject: Subject, training: Training, rows: Rows, now: int) -> list[Knob]:
    """What each knob of the recipe would save, the most first."""
    section = "align" if training.reference else "train"
    found = []
    for key, value, change in _changes(training):
        other = replace(training, settings=training.settings.model_copy(update={**change}))
        after = estimate(
            subject.shape,
            subject.recipe.models,
            other,
            _shorter(largest_step(rows, other), other),
            place_of(subject),
        )
        if now - after.total > _WORTH * now:
            found.append(Knob(f"{section}.{key}", value, now - after.total))
    return sorted(found, key=lambda knob: -knob.saves)


def _shorter(step: Step, training: Training) -> Step:
    length = min(step.length, training.settings.max_length)
    return Step(step.rows, length, min(step.trained, step.rows * length))


def _changes(training: Training) -> list[tuple[str, str, dict[str, Any]]]:
    """Keys, their new values for people, and the settings they would make."""
    now = training.settings
    found: list[tuple[str, str, dict[str, Any]]] = []
    if not now.gradient_checkpointing:
        found.append(("gradient_checkpointing", "true", {"gradient_checkpointing": True}))
    if now.batch_size > 1:
        half = now.batch_size // 2
        words = f"{now.batch_size} -> {half}, accumulation {now.accumulation} -> {2 * now.accumulation}"
        found.append(("batch_size", words, {"batch_size": half}))
    if training.world > 1 and now.zero < 3:
        found.append(("zero", f"{now.zero} -> 3", {"zero": 3}))
    if now.offload == "none":
        zero = max(2, now.zero)
        words = "optimizer" if zero == now.zero else f"optimizer, zero {now.zero} -> {zero}"
        found.append(("offload", words, {"offload": "optimizer", "zero": zero}))
    if now.offload != "parameters":
        words = "parameters" if now.zero == 3 else f"parameters, zero {now.zero} -> 3"
        found.append(("offload", words, {"offload": "parameters", "zero": 3}))
    return found


def fits(memory: Memory, subject: Subject, world: int) -> bool:
    """Whether it fits with room to spare; processes on a CPU share its memory."""
    needed = memory.total if subject.device.gpu else memory.total * world + sum(memory.host.values())
    return needed <= _SPARE * subject.device.memory


def zero_page(recipe: Recipe, device: str) -> str:
    """DeepSpeed's configuration of both training stages as JSON, just as they will be run.

    Raises:
        UserError: the recipe asks for an offload that its ZeRO stage has not, or no such device is known.
    """
    found, pages = find_device(device), []
    precision = precision_of(recipe, found)
    for name, section in (("sft", "train"), ("dpo", "align")):
        settings = getattr(recipe, section)
        config = deepspeed_config(settings, precision, found.gpu)
        shown = json.dumps(config, indent=2) if config else "plain data parallelism, without DeepSpeed"
        pages.append(f"{name}, ZeRO-{settings.zero} on {found.name}:\n{shown}")
    return "\n\n".join(pages)


def precision_of(recipe: Recipe, device: Device) -> str:
    """The type of activations, by name."""
    if recipe.models.compute != "auto":
        return recipe.models.compute
    return "bfloat16" if device.gpu else "float32"
