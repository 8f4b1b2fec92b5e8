"""Estimates as a table of at most 80 columns, and notes below it."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Sequence
from statistics import mean

from rectune.core.artifacts import ArtifactStore, generation_cache_path
from rectune.core.errors import UserError
from rectune.core.recipe import Recipe
from rectune.core.text.plain import duration
from rectune.models.deepspeed_config import deepspeed_config
from rectune.pipeline.estimate import Estimate, EstimateInputs, find_device, fits, precision_of
from rectune.pipeline.estimate_rows import DPO, SFT
from rectune.pipeline.plan import PlannedStage

_WIDTH = 80
_NAME, _COLUMN = 30, 22


def estimate_table(
    subject: EstimateInputs, stages: Sequence[Estimate], generation: Sequence[str] = ()
) -> str:
    """The model and device, a column per stage, how figures were found, and which keys save memory.

    `generation` are notes on the stages that generate text.
    """
    models = subject.recipe.models
    form = "4-bit NF4" if models.load_in_4bit else "no quantisation"
    head = [
        f"{models.base}, {subject.model.parameters / 1e9:.3g} billion weights ({subject.source}), {form}",
        f"on {subject.device.name}, {_gib(subject.device.memory)}",
        "",
    ]
    return "\n".join([*_wrapped(head), *_rows(stages), "", *_notes(subject, stages), *_wrapped(generation)])


def _rows(stages: Sequence[Estimate]) -> list[str]:
    parts = list(dict.fromkeys(part for one in stages for part in one.memory.device))
    moved = list(dict.fromkeys(part for one in stages for part in one.memory.host))
    lines = [
        _line("", [one.name for one in stages]),
        _line("rows", [f"{one.rows.count:,}" for one in stages]),
        _line("tokens a row, mean / longest", [_lengths(one) for one in stages]),
        _line("tokens in all", [f"{one.tokens:,.0f}" for one in stages]),
        _line("processes", [str(one.world_size) for one in stages]),
        _line("optimiser steps", [f"{one.steps:,}" for one in stages]),
        "memory a process (arithmetic)",
    ]
    lines += [_line(f"  {part}", [_gib(one.memory.device.get(part, 0)) for one in stages]) for part in parts]
    lines.append(_line("  together", [_gib(one.memory.total) for one in stages]))
    lines += [
        _line(f"  in host memory: {part}", [_gib(one.memory.host.get(part, 0)) for one in stages])
        for part in moved
    ]
    if any(one.probe for one in stages):
        measured = [_gib(one.probe.memory) if one.probe else "-" for one in stages]
        lines.append(_line("memory of the probe, measured", measured))
    return [*lines, _line("time", [duration(round(one.seconds)) for one in stages])]


def _line(name: str, cells: Sequence[str]) -> str:
    return (f"{name:<{_NAME}}" + "".join(f"{cell:>{_COLUMN}}" for cell in cells)).rstrip()


def _lengths(one: Estimate) -> str:
    return f"{mean(one.rows.lengths):.0f} / {one.rows.longest}"


def _notes(subject: EstimateInputs, stages: Sequence[Estimate]) -> list[str]:
    notes = []
    for one in stages:
        notes.append(f"{one.name}: rows from {one.rows.source}; time {one.how}")
        notes += _advice(subject, one)
    overhead = "measured" if not subject.device.gpu else "assumed, not measured"
    notes.append(f"framework: {overhead}. Evaluations and checkpoints are not in the time.")
    return _wrapped(notes)


def _advice(subject: EstimateInputs, one: Estimate) -> list[str]:
    fit = fits(one.memory, subject, one.world_size)
    if fit and not one.memory_options:
        return []
    lead = (
        f"{one.name} fits; it would take less with" if fit else f"{one.name} DOES NOT FIT; what saves memory"
    )
    return [
        f"{lead}:",
        *(f"  {option.key}: {option.change} saves {_gib(option.saves)}" for option in one.memory_options),
    ]


def _wrapped(lines: Sequence[str]) -> list[str]:
    found = []
    for line in lines:
        indent = " " * (len(line) - len(line.lstrip()) + 2)
        found += textwrap.wrap(line, _WIDTH, subsequent_indent=indent, drop_whitespace=True) or [""]
    return found


def _gib(size: int) -> str:
    return f"{size / 2**30:.2f} GiB" if size < 10 * 2**30 else f"{size / 2**30:.1f} GiB"


def generation_notes(
    recipe: Recipe, steps: Sequence[PlannedStage], store: ArtifactStore, *, probing: bool
) -> list[str]:
    """The estimated time of what teachers write, from the probe of `rectune run --dry-run`.

    Args:
        recipe: sections `prompts` and `generate`; `allmrec` and `retrieval` where texts are summarised.
        steps: the plan; the probe needs the finished stage `data`.
        store: the artifact store; answers of the probe stay in its generation cache.
        probing: whether a few requests may be sent to the teachers.
    """
    from rectune.datagen.generation_estimate import estimate_generation

    planned = {step.stage.name: step for step in steps}
    kinds = {"queries": "queries", "rationales": "rationales"}
    if recipe.allmrec.summarise and "allmrec_items" in planned:
        kinds["allmrec_items"] = "summaries"
    if all(planned[name].state == "finished" for name in kinds):
        return []
    what = ", ".join(kinds.values())
    if planned["data"].state != "finished":
        return [f"{what}: unknown until the stage data has run"]
    if not probing:
        return [f"{what}: not probed"]
    data = store.folder("data", planned["data"].key)
    try:
        return list(estimate_generation(recipe, data, generation_cache_path(data)).times)
    except UserError as absent:
        return [f"{what}: {absent.message}"]


def zero_page(recipe: Recipe, device: str) -> str:
    """DeepSpeed's configuration of both training stages as JSON, as it will be used.

    Raises:
        UserError: the recipe has an offload that its ZeRO stage does not support, or the device is unknown.
    """
    found, pages = find_device(device), []
    for stage in (SFT, DPO):
        settings = stage.settings(recipe)
        config = deepspeed_config(settings, precision_of(recipe.models, found), found.gpu)
        shown = json.dumps(config, indent=2) if config else "plain data parallelism, without DeepSpeed"
        pages.append(f"{stage.name}, ZeRO-{settings.zero_stage} on {found.name}:\n{shown}")
    return "\n\n".join(pages)
