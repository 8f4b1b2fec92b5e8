"""Package data: recipes and sample data."""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).parents[1]

RECIPES = _PACKAGE / "recipes"
SAMPLES = _PACKAGE / "samples"
CONSTRAINTS = _PACKAGE.parent / "constraints.txt"  # beside the package in a checkout only

# How the command is typed: set-up of a checkout puts it into the environment that it makes.
COMMAND = ".venv/bin/rectune" if CONSTRAINTS.is_file() else "rectune"

WITH_SET_UP = ("llm", "train", "serve")  # the extras that set-up of a checkout installs for users

# How missing or wrong packages are repaired.
SET_UP = "make setup" if CONSTRAINTS.is_file() else "pip install --upgrade rectune"


def recipe_names() -> list[str]:
    """The recipes that come with the package, sorted."""
    return sorted(path.stem for path in RECIPES.glob("*.yaml"))


def find_recipe(recipe: Path) -> Path:
    """The file of a recipe: the path itself if it exists, else the shipped recipe of this bare name."""
    bare = recipe.parent == Path() and not recipe.suffix
    return RECIPES / f"{recipe}.yaml" if bare and not recipe.is_file() else recipe


def recipe_argument(name: str) -> str:
    """How a command line names the recipe whose runs are kept under `name`, which may be empty."""
    return name if name in recipe_names() else f"recipes/{name or 'RECIPE'}.yaml"
