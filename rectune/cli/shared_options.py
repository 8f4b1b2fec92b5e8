"""Arguments that several commands take."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

RecipeFile = Annotated[
    Path, typer.Argument(help="The recipe: a file, or the name of one that comes along, as demo.")
]
Overrides = Annotated[list[str] | None, typer.Argument(help="Overrides: section.key=value …")]
Runs = Annotated[Path, typer.Option(help="The artifact store.")]
