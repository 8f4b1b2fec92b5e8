"""The output of commands: plans, tables, and the summary at the end of a run."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rectune.core.artifacts import ArtifactStore, generation_cache_path
from rectune.core.recipe import load_recipe
from rectune.core.text.plain import printable
from rectune.pipeline.plan import WAITS, PlannedStage
from rectune.pipeline.run import RunOptions, run_pipeline


def plan_table(steps: Sequence[PlannedStage]) -> str:
    """One line per stage: what would happen, the key, and why."""
    marks = {"finished": "up to date", "begun": "goes on", "missing": "would run", "blocked": "cannot run"}
    width = max(len(name) for name in ("stage", *(step.stage.name for step in steps)))
    lines = [f"{'stage':<{width}} {'what':<11} {'key':<17} why"]
    for step in steps:
        mark, why = marks[step.state], step.why.replace("\n", "; ")
        if step.stage.name == "push" and step.state == "missing":
            mark, why = "on request", "only rectune push runs it"
        lines.append(f"{step.stage.name:<{width}} {mark:<11} {step.key or '-':<17} {why}".rstrip())
    return "\n".join([*lines, *_lacking(steps)])


def _lacking(steps: Sequence[PlannedStage]) -> list[str]:
    """One line on what has to be there before the recipe can run; none where nothing is missing."""
    first = [step for step in steps if step.state == "blocked" and not step.why.startswith(WAITS)]
    if not first:
        return []
    waiting = sum(step.state == "blocked" for step in steps) - len(first)
    told = "; ".join(f"{step.stage.name}: {step.why.splitlines()[0].rstrip(';')}" for step in first)
    return ["", f"cannot run: {told}" + (f"; {waiting} more stages wait for it" if waiting else "")]


def closing_words(folders: dict[str, Path], last: str) -> str:
    """The summary at the end of a run."""
    if last == "report":
        shown = json.loads((folders["recommend"] / "recommendations.json").read_text(encoding="utf-8"))
        parts = [_shown(one) for one in shown if one["scenario"] == "passive"][:2]
        parts += [_shown(one) for one in shown if one["scenario"] == "active"][:2]
        where = f"all {len(shown)} recommendations: {folders['recommend'] / 'recommendations.json'}"
        return "\n\n".join([*parts, f"{where}\nreport: {folders['report'] / 'report.html'}"])
    return f"{last}: {folders[last]}"


def generation_preview(order: RunOptions, store: ArtifactStore) -> str:
    """Three prompts of the generation stages and an estimate of hours; runs the data stage and a probe."""
    from rectune.datagen.generation_estimate import estimate_generation

    folder = run_pipeline(order, store)["data"]
    return printable(
        estimate_generation(
            load_recipe(order.recipe, order.overrides), folder, generation_cache_path(folder)
        ).text
    )


def _shown(one: dict[str, Any]) -> str:
    asked = f'"{one["query"]}"' if one["scenario"] == "active" else "; ".join(one["history"])
    says = "The answer" if one["named"] else "Nothing is recommended"
    answer = textwrap.fill(
        printable(" ".join(one["answer"].split())), 100, initial_indent="  ", subsequent_indent="  "
    )
    found = [f"  {number}. {printable(item['title'])}" for number, item in enumerate(one["items"], 1)]
    return "\n".join(
        [
            f"[{one['domain']}] {printable(asked)}",
            f"  {says}:",
            answer,
            "  Real items, the one recommended first:"
            if one["named"]
            else "  Real items, the nearest first:",
            *found,
        ]
    )


def verification(store: ArtifactStore) -> tuple[str, bool]:
    """All artifacts, and whether their files are as they were written."""
    lines, sound = [], True
    for folder, bad in store.verify():
        lines.append(f"{'damaged: ' + ', '.join(bad) if bad else 'sound':<10} {folder}")
        sound = sound and not bad
    return "\n".join(lines) or "nothing to verify", sound
