"""Prompts, answers and folders that the tests of align share."""

from __future__ import annotations

import resource
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rectune.align.assignment import in_order
from rectune.align.prompt_view import PromptView
from rectune.align.session import AnnotationSession
from rectune.align.tags import TagStore
from rectune.align.tasks import AnnotationTask, make_task
from rectune.core.rows import write_rows
from rectune.core.tables import item_schema
from rectune.core.types import Candidate, Prompt, Provenance, with_id
from rectune.retrieval.embedding import register

FILMS = {"heat": "Heat", "ronin": "Ronin"}
PROVENANCE = Provenance("tiny", "Q8_0", "{}", 0, "llama.cpp")


def make_prompt(number: int, **changes: object) -> Prompt:
    """A passive prompt whose true next item is `heat`."""
    values: dict[str, object] = {
        "id": "",
        "domain": "movies",
        "scenario": "passive",
        "form": "direct",
        "locale": "en",
        "split": "preference",
        "user": f"u{number}",
        "system": "You recommend a film.",
        "instruction": f"A person liked Alien and Ran ({number}). What next?",
        "history": ("alien", "ran"),
        "candidates": (),
        "target": "heat",
        "query": "",
        "template": "t",
        "history_domain": "movies",
    }
    return with_id(Prompt(**(values | changes)))  # type: ignore[arg-type]


def make_tasks(count: int, answers: int = 5) -> list[AnnotationTask]:
    """Tasks whose answers say which one they are."""
    return [
        make_task(make_prompt(n), tuple(f"answer {k} to {n}" for k in range(answers))) for n in range(count)
    ]


def write_folders(root: Path, made: Sequence[AnnotationTask]) -> dict[str, Path]:
    """The folders of the stages queries and candidates, as far as tagging reads them."""
    folders = {name: root / name for name in ("queries", "candidates")}
    for folder in folders.values():
        folder.mkdir(parents=True)
    rows = [
        with_id(Candidate("", task.prompt.id, index, text, PROVENANCE))
        for task in made
        for index, text in enumerate(task.answers)
    ]
    write_rows(folders["queries"] / "prompts.parquet", [task.prompt for task in made], Prompt)
    write_rows(folders["candidates"] / "candidates.parquet", rows, Candidate)
    return folders


@contextmanager
def no_file_above(size: int) -> Iterator[None]:
    """Limit the size of this process's files to so many bytes within the block, as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def letters(texts: Sequence[str]) -> Any:
    """The embedder `alphabet`: texts are near that have the same letters, [len(texts), 26], unit rows."""
    import numpy as np

    alphabet = "abcdefghijklmnopqrstuvwxyz"
    counts = np.array([[text.lower().count(letter) for letter in alphabet] for text in texts], np.float32)
    return counts / np.maximum(np.linalg.norm(counts, axis=1, keepdims=True), 1e-9)


register("alphabet", 26, letters)


def write_items(folder: Path, films: Mapping[str, str] | None = None) -> Path:
    """The folder of the stage data with a catalogue of two films."""
    import polars as pl

    folder.mkdir(parents=True, exist_ok=True)
    rows = [
        ("movies", n, item, title, [], "", None, "{}", "", [])
        for n, (item, title) in enumerate((films or FILMS).items())
    ]
    pl.DataFrame(rows, schema=item_schema(), orient="row").write_parquet(folder / "items.parquet")
    return folder


def session(
    store: TagStore, tasks: list[AnnotationTask] | None = None, annotator: str = "kim"
) -> AnnotationSession:
    """A session over three tasks, the first of whose targets has a title."""
    made = tasks or make_tasks(3)
    requests = {task.prompt.id: PromptView(task.prompt, task.prompt.target) for task in made}
    requests[made[0].prompt.id] = PromptView(made[0].prompt, "Heat (1995)")
    return AnnotationSession(in_order(made, annotator, 0.0), store, annotator, requests)
