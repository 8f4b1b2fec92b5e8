"""The result that a recipe stands for: found by the recipe's own keys, never by its file's name alone."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rectune.core.artifacts import ArtifactStore, CacheKey
from rectune.core.errors import UserError
from rectune.core.package_data import RECIPES, find_recipe, recipe_argument
from rectune.core.progress import say
from rectune.core.recipe import Recipe, load_recipe
from rectune.pipeline.plan import make_plan
from rectune.pipeline.stages import find_stage


def finished_result(recipe: Path, stage: str, store: ArtifactStore, overrides: Sequence[str] = ()) -> Path:
    """The finished artifact of a stage that this recipe makes.

    Where data, tags or model files changed or went away since, it is the newest that was made with the same
    settings, and that is said. A bare name that is no recipe's is looked up among the links of earlier runs.

    Raises:
        UserError: there is no such recipe, or it has no finished result of the stage with these settings.
    """
    if _is_run_name(recipe):
        return store.resolve(str(recipe), stage)
    loaded = load_recipe(recipe, overrides)
    last = make_plan(loaded, store, stage)[-1]
    if last.state == "finished":
        return store.folder(stage, last.key)
    if earlier := _newest(loaded, stage, store):
        say(f"{recipe}: data, tags or model files changed since; its last {stage} is used: {earlier}")
        return earlier
    # The name is enough for recipes that come with the package.
    given = " ".join([recipe_argument(recipe.stem) if recipe.parent == RECIPES else str(recipe), *overrides])
    raise UserError(
        f"the recipe has no finished {stage} with these settings",
        where=" ".join([str(recipe), *overrides]),
        hint=f"run: rectune run {given} --until {stage}; where it was run with overrides, give them here too",
    )


def _is_run_name(recipe: Path) -> bool:
    """Whether this can only be the name under which earlier runs are linked."""
    return recipe.parent == Path() and not recipe.suffix and not find_recipe(recipe).is_file()


def _newest(recipe: Recipe, stage: str, store: ArtifactStore) -> Path | None:
    """The newest artifact whose settings, and those of all that it was made of, are the recipe's."""
    keys = (key for key in store.keys(stage) if _made_with(recipe, stage, key, store))
    folders = (store.folder(stage, key) for key in keys)
    return max(folders, key=lambda folder: folder.stat().st_mtime, default=None)


def _made_with(recipe: Recipe, stage: str, key: str, store: ArtifactStore) -> bool:
    """Whether an artifact's key follows from the recipe's settings, taking from its manifest what it read
    from outside.
    """
    row = find_stage(stage)
    if not store.finished(stage, key):
        return False
    manifest = store.manifest(stage, key)
    inputs, outside = manifest.get("inputs", {}), manifest.get("outside", {})
    settings = recipe.result_fields(row.sections)
    if CacheKey(stage, row.version, settings, inputs, outside).key != key:
        return False
    return all(_made_with(recipe, name, inputs.get(name, ""), store) for name in row.inputs_for(recipe))
