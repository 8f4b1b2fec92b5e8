"""The command `push`: options as overrides of the recipe, the stage run again, and its output."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rectune.core.artifacts import ArtifactStore
from rectune.core.errors import UserError
from rectune.core.figures import PushFigures
from rectune.core.figures.publishing import PushResult
from rectune.core.figures.read_records import read_figures
from rectune.pipeline.run import RunOptions, run_pipeline
from rectune.release.push_checks import KINDS

STAGE = "push"


@dataclass(frozen=True)
class PushOptions:
    """The command line's options; empty or None means as in the recipe."""

    to: str = ""
    artifacts: str = ""
    private: bool | None = None
    dry_run: bool | None = None

    def overrides(self) -> list[str]:
        """The same as overrides of a recipe.

        Raises:
            UserError: an unknown kind.
        """
        found = [f"release.repo={json.dumps(self.to)}"] if self.to else []
        if self.artifacts:
            found.append(f"release.artifacts={json.dumps(_kinds(self.artifacts))}")
        for name, value in (("private", self.private), ("dry_run", self.dry_run)):
            if value is not None:
                found.append(f"release.{name}={json.dumps(value)}")
        return found


def push_run(recipe: Path, overrides: Sequence[str], wanted: PushOptions, store: ArtifactStore) -> str:
    """Run the pipeline up to the push, which always runs again; returns what to print.

    A dry run ends with the rendered cards, a real one with the addresses of its commits.
    """
    order = RunOptions(recipe, [*overrides, *wanted.overrides()], STAGE, redo=STAGE)
    folder = run_pipeline(order, store)[STAGE]
    figures = read_figures(PushFigures, folder)
    return _sent(figures.sent, figures.tag) if figures.sent else _rendered(folder)


def _kinds(text: str) -> list[str]:
    kinds = [kind.strip() for kind in text.split(",") if kind.strip()]
    unknown = [kind for kind in kinds if kind not in KINDS]
    if unknown or not kinds:
        raise UserError(
            f"--artifacts is {text!r}", hint=f"name some of {', '.join(KINDS)}, with commas in between"
        )
    return kinds


def _rendered(folder: Path) -> str:
    cards = [path for name in ("README.md", "dataset/README.md") if (path := folder / name).is_file()]
    shown = [f"{path}:\n\n{path.read_text(encoding='utf-8')}" for path in cards]
    return "\n".join([*shown, f"nothing was uploaded; to do it: --no-dry-run   ({folder})"])


def _sent(sent: PushResult, tag: str) -> str:
    lines = [f"{kind:<12} {address}" for kind, address in sent.commits.items()]
    return "\n".join([*lines, f"tagged {tag}"])
