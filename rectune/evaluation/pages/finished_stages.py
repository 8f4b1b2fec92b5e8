"""What finished stages left in their folders. What is missing or damaged is left out, never made up."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from rectune.core.manifest import Manifest, read_manifests, read_settings
from rectune.core.package_data import recipe_argument
from rectune.models import metrics


@dataclass(frozen=True)
class FinishedStages:
    """The folders of all stages by name; those that are not there are stages that have not finished."""

    inputs: Mapping[str, Path]

    @cached_property
    def manifests(self) -> dict[str, Manifest]:
        """By stage, in the order of the folders."""
        return read_manifests(self.inputs)

    @cached_property
    def settings(self) -> dict[str, Any]:
        """The recipe's sections, as the stages kept them."""
        merged: dict[str, Any] = {}
        for folder in self.inputs.values():
            merged.update(read_settings(folder))
        return merged

    @property
    def recipe(self) -> str:
        """The recipe's name; empty where no stage knows it."""
        return next((one.recipe for one in self.manifests.values() if one.recipe), "")

    def made_by(self, stage: str) -> str:
        """The command that makes a stage's figures, as a sentence."""
        return f"Made by: rectune run {recipe_argument(self.recipe)} --until {stage}."

    def figures(self, stage: str) -> Mapping[str, Any]:
        """What a stage returned; empty where it has not finished."""
        return self.manifests[stage].figures if stage in self.manifests else {}

    def document(self, stage: str, name: str) -> Any:
        """A JSON file of a stage; None where it is missing or damaged."""
        try:
            return json.loads((self.inputs[stage] / name).read_text(encoding="utf-8"))
        except (KeyError, OSError, ValueError):
            return None

    def log(self, stage: str) -> list[dict[str, Any]]:
        """A training log, an entry a step; of a step that was logged twice the later figures count."""
        steps: dict[Any, dict[str, Any]] = {}
        for row in metrics.read(self.inputs[stage] / "metrics.jsonl") if stage in self.inputs else []:
            steps[row.get("step")] = {**steps.get(row.get("step"), {}), **row}
        return list(steps.values())
