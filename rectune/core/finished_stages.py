"""What finished stages left in their folders: the source of every figure in reports and cards.

A stage that has not run is left out and never an error, so that a pipeline which ended early can still be
reported on. What a finished stage left has to be whole: a figure that is missing, unknown or of another type
is refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ConfigDict, ValidationError

from rectune.core.artifacts import CONFIG, MANIFEST, read_manifest
from rectune.core.errors import UserError
from rectune.core.figures import STAGE_FIGURES
from rectune.core.figures.preferences import TagFigures
from rectune.core.figures.read_records import checked, read_figures, read_listed, remake_hint
from rectune.core.figures.record import Count, NonNegative, Record, RowCounts, StageRecord
from rectune.core.package_data import recipe_argument
from rectune.core.recipe import Recipe, describe_fault, read_yaml
from rectune.core.settings.base import Section
from rectune.core.text.translation import ENGLISH, Translation

S = TypeVar("S", bound=StageRecord)
C = TypeVar("C", bound=Section)


class Manifest(Record):
    """What the run store wrote about a finished stage, but for its figures and files."""

    model_config = ConfigDict(extra="ignore")

    stage: str
    """The stage's name."""
    key: str
    """The key of its result."""
    recipe: str
    """The name of the recipe that it was first made for."""
    versions: dict[str, str]
    """The versions of the packages that it may have used."""
    started: str
    """When it was begun: an ISO time."""
    seconds: NonNegative
    """Wall-clock time of all attempts, in seconds."""
    peak_memory: Count
    """The most memory that it used, in bytes; 0 where it could not be measured."""
    attempts: Count
    """How often it was begun."""


@dataclass(frozen=True)
class RowFlow:
    """Rows into and out of one stage, and the reasons why some did not get through."""

    stage: str
    rows_in: int
    rows_out: int
    dropped: Mapping[str, int]

    @property
    def comparable(self) -> bool:
        """Whether what comes out is part of what went in, and not rows of another kind made from it."""
        if not self.rows_in or self.rows_out > self.rows_in:
            return False
        return self.rows_out == self.rows_in or bool(self.dropped)


@dataclass(frozen=True)
class FinishedStages:
    """The folders of stages by name; those without a manifest are of stages that have not finished."""

    inputs: Mapping[str, Path]

    @cached_property
    def manifests(self) -> dict[str, Manifest]:
        """By stage, in the order of the folders.

        Raises:
            UserError: a manifest is damaged, or lacks something.
        """
        return {
            stage: checked(Manifest, stage, folder / MANIFEST, read_manifest(folder))
            for stage, folder in self.inputs.items()
            if (folder / MANIFEST).is_file()
        }

    def by_time(self) -> FinishedStages:
        """The finished ones alone, in the order in which they were begun."""
        order = sorted(self.manifests, key=lambda stage: self.manifests[stage].started)
        return FinishedStages({stage: self.inputs[stage] for stage in order})

    def read(self, kind: type[S]) -> S | None:
        """A record that a stage left; None where the stage has not finished.

        Raises:
            UserError: see `rectune.core.figures.read_records.read_figures`.
        """
        return read_figures(kind, self.inputs[kind.stage]) if kind.stage in self.manifests else None

    def listed(self, kind: type[S]) -> tuple[S, ...]:
        """The records that a stage listed in a file; none where the stage has not finished.

        Raises:
            UserError: see `rectune.core.figures.read_records.read_figures`.
        """
        return read_listed(kind, self.inputs[kind.stage]) if kind.stage in self.manifests else ()

    def settings(self, kind: type[C]) -> C | None:
        """A section of the recipe, as the last stage that saw it was run with; None where no such stage has
        finished.

        Raises:
            UserError: it was kept by another version of rectune, which knew other keys.
        """
        name = next(name for name, field in Recipe.model_fields.items() if field.annotation is kind)
        found = None
        for stage in self.manifests:
            path = self.inputs[stage] / CONFIG
            if name in (kept := read_yaml(path) if path.is_file() else {}):
                found = _section(kind, kept[name], stage, path)
        return found

    @property
    def recipe(self) -> str:
        """The recipe's name; empty where no stage has finished."""
        return next((one.recipe for one in self.manifests.values() if one.recipe), "")

    def made_by(self, stage: str, tr: Translation = ENGLISH) -> str:
        """The command that makes a stage's figures, as a sentence."""
        return made_by(self.recipe, stage, tr)

    def flows(self) -> list[RowFlow]:
        """The funnel: one entry for every finished stage that rows flow through."""
        kinds = [kind for stage in self.manifests if issubclass(kind := STAGE_FIGURES[stage], RowCounts)]
        found = [(kind.stage, figures) for kind in kinds if (figures := self.read(kind))]
        return [
            RowFlow(stage, one.rows_in, one.rows_out, {why: n for why, n in one.dropped.items() if n})
            for stage, one in found
        ]

    @cached_property
    def annotators(self) -> tuple[str, ...]:
        """Who tagged, by the tag stage's own figures; nobody where nothing was tagged."""
        tagged = self.read(TagFigures)
        return tagged.annotators if tagged else ()

    @property
    def simulated(self) -> bool:
        """Whether any preference comes from the simulated annotator."""
        return any("simulated" in name for name in self.annotators)


def made_by(recipe: str, stage: str, tr: Translation = ENGLISH) -> str:
    """The command that makes a stage's figures, as a sentence; the recipe's name may be empty."""
    return tr("Made by: rectune run {recipe} --until {stage}.", recipe=recipe_argument(recipe), stage=stage)


def _section(kind: type[C], kept: Any, stage: str, path: Path) -> C:
    try:
        return kind.model_validate(kept)
    except ValidationError as invalid:
        faults = "; ".join(describe_fault(dict(error)) for error in invalid.errors())
        raise UserError(
            f"settings of the stage {stage}: {faults}", where=str(path), hint=remake_hint(stage)
        ) from None
