"""The commands `rectune export` and `rectune push`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rectune.cli.shared_options import Overrides, RecipeFile, Runs


def export(recipe: RecipeFile, overrides: Overrides = None, runs: Runs = Path("runs")) -> None:
    """Export the aligned model as GGUF and print where it is."""
    from rectune.core.artifacts import ArtifactStore
    from rectune.pipeline.run import RunOptions, run_pipeline

    typer.echo(
        run_pipeline(RunOptions(recipe, overrides or [], "export"), ArtifactStore(runs))["export"]
        / "model.gguf"
    )


def push(
    recipe: RecipeFile,
    overrides: Overrides = None,
    to: Annotated[str, typer.Option(help="Where to: user/name; else release.repo.")] = "",
    artifacts: Annotated[
        str, typer.Option(help="Which of adapter,merged,gguf,dataset,preferences; else release.artifacts.")
    ] = "",
    private: Annotated[
        bool | None, typer.Option("--private/--public", help="A repository that is made.")
    ] = None,
    dry_run: Annotated[
        bool | None,
        typer.Option("--dry-run/--no-dry-run", help="Only show files and cards; else release.dry_run."),
    ] = None,
    runs: Runs = Path("runs"),
) -> None:
    """Push model, data and cards to the Hub, one commit per kind; a dry run unless --no-dry-run."""
    from rectune.core.artifacts import ArtifactStore
    from rectune.pipeline.push_command import PushOptions, push_run

    typer.echo(
        push_run(recipe, overrides or [], PushOptions(to, artifacts, private, dry_run), ArtifactStore(runs))
    )
