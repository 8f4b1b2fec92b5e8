"""Running a recipe: skip finished stages, resume interrupted ones, run missing ones."""

from __future__ import annotations

import datetime
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rectune.core.artifacts import CONFIG, ArtifactStore, WorkDir, write_atomically
from rectune.core.errors import UserError
from rectune.core.extras import require
from rectune.core.figures import STAGE_FIGURES
from rectune.core.figures.read_records import checked, read_figures
from rectune.core.figures.record import RowCounts, StageRecord
from rectune.core.os_errors import for_people
from rectune.core.progress import say
from rectune.core.recipe import Recipe, dump_sections, load_recipe, resolved, to_yaml
from rectune.core.text.plain import duration
from rectune.pipeline.dropped_rows import dropped_lines
from rectune.pipeline.launch import launch
from rectune.pipeline.plan import PlannedStage, next_step, package_versions, stage_source
from rectune.pipeline.resource_usage import ResourceUsage
from rectune.pipeline.stages import LAST, find_stage, needed_for


@dataclass(frozen=True)
class RunOptions:
    """Options of a run. `redo` names the first stage to run again although it is finished."""

    recipe: Path
    overrides: Sequence[str] = ()
    last: str = LAST
    redo: str = ""

    @property
    def name(self) -> str:
        """The recipe's name: its file name without the ending."""
        return self.recipe.stem


def run_pipeline(order: RunOptions, store: ArtifactStore) -> dict[str, Path]:
    """Run the stages that lead to `order.last`; returns the finished folder of each.

    Raises:
        MissingExtra: a stage that is to be made, or one after it, needs packages that are not installed.
        UserError: bad input, or something must be done by a person first.
        StageFailed: a stage crashed; its partial work is kept.
    """
    recipe = load_recipe(order.recipe, order.overrides)
    stages = needed_for(order.last, recipe)
    redo = _names_from(order.redo, [stage.name for stage in stages])
    name, steps = store.name_of(order.recipe), dict[str, PlannedStage]()
    for at, stage in enumerate(stages):
        step = steps[stage.name] = next_step(stage, recipe, store, steps)
        finished = step.state == "finished" and stage.name not in redo
        if not finished:
            require((module, f"the stage {one.name}") for one in stages[at:] for module in one.modules)
        if step.cache_key is None:
            raise UserError(step.why, where=f"stage {stage.name}")
        if finished:
            say(f"{stage.name:<11} up to date   {store.folder(stage.name, step.key)}")
        else:
            _make(step, recipe, order, store)
        store.link(name, stage.name, step.key)
    return {name: store.folder(name, step.key) for name, step in steps.items()}


@dataclass(frozen=True)
class RunResult:
    """What a run made: by stage its folder, and what it measured."""

    paths: Mapping[str, Path]
    figures: Mapping[str, StageRecord]


def run_recipe(
    recipe: str | Path,
    overrides: Mapping[str, Any] | None = None,
    until: str = LAST,
    *,
    redo: str = "",
    runs: str | Path = "runs",
) -> RunResult:
    """Run a recipe, from Python; what is finished is not run again.

    Args:
        recipe: a file, or the name of a recipe that comes along, as `demo`.
        overrides: key -> value, as `{"filter.threshold": 12, "data.datasets": ["movielens"]}`.
        until: the last stage.
        redo: the first stage to run again although it is finished.
        runs: the artifact store.

    Returns:
        The folders of the stages, and their figures as the records of `rectune.core.figures`.

    Raises:
        UserError: bad input, or something must be done by a person first.
        StageFailed: a stage crashed; its partial work is kept.
    """
    changed = [
        f"{key}={json.dumps(value, ensure_ascii=False, default=str)}"  # a Path, say
        for key, value in (overrides or {}).items()
    ]
    paths = run_pipeline(RunOptions(Path(recipe), changed, until, redo), ArtifactStore(Path(runs)))
    return RunResult(paths, {name: read_figures(STAGE_FIGURES[name], path) for name, path in paths.items()})


def _names_from(first: str, names: list[str]) -> set[str]:
    if not first:
        return set()
    name = find_stage(first).name
    if name not in names:
        raise UserError(f"the stage {name} is not on the way", hint=f"on the way: {', '.join(names)}")
    return set(names[names.index(name) :])


def _make(step: PlannedStage, recipe: Recipe, order: RunOptions, store: ArtifactStore) -> None:
    name, key = step.stage.name, step.key
    say(f"{name:<11} {step.stage.does}")
    try:
        with store.work(name, key) as place:
            started = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
            figures, usage = _launch(step, recipe, store, place)
            manifest = _manifest(step, order, figures, usage) | {"started": started}
            store.finish(name, key, manifest)
    except OSError as problem:
        if told := for_people(problem, str(store.root)):
            raise told from None
        raise
    rows = f", {figures.rows_in} -> {figures.rows_out} rows" if isinstance(figures, RowCounts) else ""
    cost = f"{duration(round(usage.seconds))}, {usage.peak_memory / 2**30:.1f} GiB"
    say(f"{'':<11} done in {cost}{rows}   {store.folder(name, key)}")
    for line in dropped_lines(figures, recipe):
        say(f"{'':<11} {line}")


def _launch(
    step: PlannedStage, recipe: Recipe, store: ArtifactStore, place: WorkDir
) -> tuple[StageRecord, ResourceUsage]:
    cache_key = step.cache_key
    assert cache_key is not None  # run_pipeline refuses a blocked step
    sections = dump_sections(recipe, step.stage.sections)
    inputs = {name: str(store.folder(name, key).resolve()) for name, key in cache_key.inputs.items()}
    absolute = WorkDir(place.folder.resolve(), place.lock)
    write_atomically(absolute.folder / CONFIG, to_yaml(sections))
    write_atomically(absolute.folder / "recipe.yaml", resolved(recipe))
    spec = {"sections": sections, "inputs": inputs}
    found, usage = launch(step.stage.function, spec, absolute, step.stage.process_group(recipe))
    return checked(STAGE_FIGURES[step.stage.name], step.stage.name, absolute.folder, found), usage


def _manifest(
    step: PlannedStage, order: RunOptions, figures: StageRecord, usage: ResourceUsage
) -> dict[str, Any]:
    assert step.cache_key is not None
    return {
        "stage": step.stage.name,
        "key": step.key,
        "recipe": order.name,
        "inputs": dict(step.cache_key.inputs),
        "outside": dict(step.cache_key.outside),
        "figures": figures.document(),
        "versions": package_versions(),
        "source": stage_source(step.stage),
        "seconds": usage.seconds,
        "attempts": usage.attempts,
        "peak_memory": usage.peak_memory,
    }
