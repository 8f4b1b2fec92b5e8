"""The commands `rectune compare` and `rectune leave-one-domain-out`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rectune.cli.shared_options import Overrides, RecipeFile, Runs


def compare(
    one: Annotated[str, typer.Argument(help="A recipe, or a folder of the stage eval.")],
    other: Annotated[str, typer.Argument(help="What it is compared with, likewise.")],
    as_json: Annotated[bool, typer.Option("--json", help="All figures as one JSON object.")] = False,
    runs: Runs = Path("runs"),
) -> None:
    """Two evaluations side by side, where prompts and candidates are equal: paired differences and tests."""
    from rectune.core.artifacts import ArtifactStore
    from rectune.pipeline.compare import compared

    typer.echo(compared(one, other, ArtifactStore(runs), as_json=as_json))


def leave_one_domain_out(
    recipe: RecipeFile,
    overrides: Overrides = None,
    folds: Annotated[
        str, typer.Option(help="Which datasets to leave out, as books,anime; each in turn.")
    ] = "",
    data: Annotated[Path | None, typer.Option(help="A folder of datasets, in place of data.root.")] = None,
    users: Annotated[int, typer.Option(min=0, help="At most so many test users a fold; 0 is all.")] = 0,
    align: Annotated[
        bool, typer.Option("--align", help="Align each fold's model too, and read its answers.")
    ] = False,
    runs: Runs = Path("runs"),
) -> None:
    """Leave one domain out: tune on the others, test on all its users; finished folds are not run again."""
    from rectune.core.artifacts import ArtifactStore
    from rectune.pipeline.leave_one_domain_out import DomainFoldOptions, run_leave_one_domain_out

    chosen = [name.strip() for name in folds.split(",") if name.strip()]
    typer.echo(
        run_leave_one_domain_out(
            DomainFoldOptions(recipe, overrides or [], chosen, data, users, align), ArtifactStore(runs)
        )
    )
