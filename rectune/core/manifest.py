"""Reading the manifests of finished stages: the source of every figure in reports and cards.

Reading is tolerant: a stage that has not run, or a key that an older run did not write, is left out and never
an error, so that a pipeline which ended early can still be reported on.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rectune.core.artifacts import read_manifest
from rectune.core.errors import UserError


@dataclass(frozen=True)
class Manifest:
    """What is known of one finished stage.

    `figures` is what the stage returned; `seconds` is wall-clock time, `peak_memory` bytes (0 where unknown),
    `started` an ISO time.
    """

    stage: str
    key: str = ""
    recipe: str = ""
    figures: Mapping[str, Any] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)
    started: str = ""
    seconds: float = 0.0
    peak_memory: int = 0
    attempts: int = 1


@dataclass(frozen=True)
class RowFlow:
    """Rows into and out of one stage, and the reasons why some were left out."""

    stage: str
    rows_in: int | None
    rows_out: int | None
    dropped: Mapping[str, int]

    @property
    def comparable(self) -> bool:
        """Whether the rows out are a subset of the rows in, and not rows of another kind made from them."""
        if not self.rows_in or self.rows_out is None or self.rows_out > self.rows_in:
            return False
        return self.rows_out == self.rows_in or bool(self.dropped)


def read_manifests(inputs: Mapping[str, Path]) -> dict[str, Manifest]:
    """The manifests of these stage folders, in the given order; folders without one are left out."""
    found = {stage: _read(stage, folder) for stage, folder in inputs.items()}
    return {stage: manifest for stage, manifest in found.items() if manifest is not None}


def flows(manifests: Mapping[str, Manifest]) -> list[RowFlow]:
    """One entry for every stage that counted rows, in the order of the stages."""
    entries = []
    for stage, manifest in manifests.items():
        rows_in, rows_out = _count(manifest.figures.get("rows_in")), _count(manifest.figures.get("rows_out"))
        if rows_in is not None or rows_out is not None:
            entries.append(RowFlow(stage, rows_in, rows_out, _dropped(manifest.figures.get("dropped"))))
    return entries


def annotators(manifests: Mapping[str, Manifest]) -> list[str]:
    """Who tagged, by the tag stage's own figures; empty where nothing was tagged."""
    named = manifests["tag"].figures.get("annotators", []) if "tag" in manifests else []
    return [str(name) for name in (named if isinstance(named, (list, tuple, dict)) else [named])]


def simulated(manifests: Mapping[str, Manifest]) -> bool:
    """Whether any preference comes from the simulated annotator."""
    return any("simulated" in name for name in annotators(manifests))


def _read(stage: str, folder: Path) -> Manifest | None:
    try:
        stored = read_manifest(folder)
    except UserError:
        return None
    return Manifest(
        stage=stage,
        key=str(stored.get("key") or ""),
        recipe=str(stored.get("recipe") or ""),
        figures=_mapping(stored.get("figures")),
        versions=_mapping(stored.get("versions")),
        started=str(stored.get("started") or ""),
        seconds=float(stored.get("seconds") or 0.0),
        peak_memory=int(stored.get("peak_memory") or 0),
        attempts=int(stored.get("attempts") or 1),
    )


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _count(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _dropped(value: Any) -> dict[str, int]:
    return {str(reason): count for reason, count in _mapping(value).items() if _count(count)}


def read_settings(folder: Path) -> dict[str, Any]:
    """The recipe sections that a finished stage was run with, as plain values; empty if unreadable."""
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    try:
        return _mapping(
            YAML(typ="safe", pure=True).load((folder / "config.yaml").read_text(encoding="utf-8"))
        )
    except (OSError, UnicodeDecodeError, YAMLError):
        return {}
