"""The command `rectune tune-embedder`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rectune.cli.shared_options import Overrides, RecipeFile, Runs


def tune_embedder(
    recipe: RecipeFile,
    overrides: Overrides = None,
    out: Annotated[
        Path, typer.Option(help="The folder that is written; name it as retrieval.embedder.")
    ] = Path("tuned-embedder"),
    domains: Annotated[
        str, typer.Option(help="Which domains to tune on, as anime,books; all of the recipe.")
    ] = "",
    pairs: Annotated[int, typer.Option(min=1, help="At most so many pairs of items.")] = 6_000,
    users: Annotated[int, typer.Option(min=10, help="Held-out users a domain who judge it.")] = 300,
    runs: Runs = Path("runs"),
) -> None:
    """Tune the embedder on what the same users like; refused where it would forget another domain."""
    from rectune.core.artifacts import ArtifactStore
    from rectune.pipeline.tune_embedder import EmbedderRequest
    from rectune.pipeline.tune_embedder import tune_embedder as tuned

    named = [name.strip() for name in domains.split(",") if name.strip()]
    request = EmbedderRequest(recipe, overrides or [], out, named, pairs, users)
    typer.echo(tuned(request, ArtifactStore(runs)))
