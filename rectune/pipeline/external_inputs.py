"""Inputs that no stage made: digests of raw files, model files and tags, and the world size."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path

from rectune.core.artifacts import ArtifactStore
from rectune.core.digests import content_digest
from rectune.core.recipe import Recipe
from rectune.pipeline.machines import process_group_of


def raw_files(recipe: Recipe, store: ArtifactStore, inputs: Mapping[str, str]) -> dict[str, str]:
    """Digests of the raw files of every dataset, by path; raises UserError where one is missing."""
    from rectune.datagen.dataset_cache import datasets_of
    from rectune.datagen.datasets import registry

    data, found = recipe.data, dict[str, str]()
    for dataset in datasets_of(data):
        folder = dataset.place(data.folder)
        for path in registry.files(dataset, data.folder, data.categories.get(dataset.name, [])):
            found[f"{dataset.name}/{os.path.relpath(path, folder)}"] = store.digest(path)
    return found


def base_model(recipe: Recipe, store: ArtifactStore, inputs: Mapping[str, str]) -> dict[str, str]:
    """Digest of the base model."""
    from rectune.models.reference import locate

    reference = locate(recipe.models.base)
    is_file = reference.path is not None and reference.path.is_file()
    return {"base": store.digest(reference.path) if is_file and reference.path else reference.digest()}


def embedder(recipe: Recipe, store: ArtifactStore, inputs: Mapping[str, str]) -> dict[str, str]:
    """Digest of an embedder that lies in a folder; nothing of one that goes by its name."""
    folder = Path(recipe.retrieval.embedder)
    return {"embedder": content_digest(folder)} if folder.is_dir() else {}


def teachers(recipe: Recipe, store: ArtifactStore, inputs: Mapping[str, str]) -> dict[str, str]:
    """Digests of the teachers' GGUF files; of a teacher behind a server its name and address."""
    from rectune.models.reference import gguf_file

    return {
        teacher.model: f"at {teacher.server}" if teacher.server else store.digest(gguf_file(teacher.model))
        for teacher in recipe.generate.teachers
    }


def item_texts(recipe: Recipe, store: ArtifactStore, inputs: Mapping[str, str]) -> dict[str, str]:
    """The embedder; and the teachers, where they summarise texts of items."""
    found = embedder(recipe, store, inputs)
    if not recipe.allmrec.summarise:
        return found
    return found | {f"teacher {name}": what for name, what in teachers(recipe, store, inputs).items()}


def tags(recipe: Recipe, store: ArtifactStore, inputs: Mapping[str, str]) -> dict[str, str]:
    """Digest of people's tags of these candidates; nothing if the annotator is simulated."""
    if recipe.align.annotator == "simulated":
        return {}
    from rectune.align.annotation_stage import tag_file, tags_digest

    queries, candidates = (store.folder(name, inputs[name]) for name in ("queries", "candidates"))
    return {"tags": tags_digest(tag_file(recipe), queries, candidates)}


def world_size_of(section: str) -> Callable[[Recipe, ArtifactStore, Mapping[str, str]], dict[str, str]]:
    """The number of processes on all machines: a step has that many batches."""

    def world_size(recipe: Recipe, store: ArtifactStore, inputs: Mapping[str, str]) -> dict[str, str]:
        return {"processes": str(process_group_of(getattr(recipe, section)).world_size)}

    return world_size


def language_model(recipe: Recipe, store: ArtifactStore, inputs: Mapping[str, str]) -> dict[str, str]:
    """The number of processes, the embedder, and the digest of a language model that no stage makes."""
    from rectune.models.reference import locate

    found = embedder(recipe, store, inputs) | world_size_of("allmrec")(recipe, store, inputs)
    model = recipe.allmrec.model
    return found if model in ("base", "sft") else found | {"model": locate(model).digest()}


def push_settings(recipe: Recipe, store: ArtifactStore, inputs: Mapping[str, str]) -> dict[str, str]:
    """Repository and artifacts of a push: part of no other stage's key."""
    wanted = ("repo", "private", "dry_run", "licence", "artifacts", "exclude_ids")
    return {name: str(getattr(recipe.release, name)) for name in wanted}
