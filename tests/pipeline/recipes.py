"""Finished artifacts under the keys that a recipe gives them, without any stage having run."""

from __future__ import annotations

import json
from pathlib import Path

from rectune.core.artifacts import MANIFEST, ArtifactStore
from rectune.core.recipe import load_recipe
from rectune.pipeline.plan import make_plan


def finish(recipe: Path, store: ArtifactStore, last: str) -> dict[str, Path]:
    """The folder of every stage that leads to `last`, empty but for its manifest."""
    folders = {}
    for step in make_plan(load_recipe(recipe), store, last):
        assert step.cache_key is not None, step.why
        folder = folders[step.stage.name] = store.folder(step.stage.name, step.key)
        folder.mkdir(parents=True, exist_ok=True)
        made_of = {"inputs": step.cache_key.inputs, "outside": step.cache_key.outside}
        (folder / MANIFEST).write_text(json.dumps({**made_of, "files": {}}))
    return folders
