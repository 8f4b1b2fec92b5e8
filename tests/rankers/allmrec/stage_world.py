"""Finished stages `data`, `queries` and `fit`: people go through the films of one block in a circle."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl

from rectune.core.recipe import Recipe, load_recipe
from rectune.core.rows import write_rows
from rectune.core.tables import interaction_schema, item_schema, user_schema
from rectune.core.types import Case, Prompt
from rectune.rankers import stage as fit_stage
from rectune.retrieval.embedding import register
from tests.rankers.allmrec.soft_world import sharp_checkpoint

EMBEDDER = "stages"
DOMAINS, ITEMS, USERS, LIKES = ("books", "movies"), 16, 200, 6


def _vectors(texts) -> np.ndarray:
    """One direction for each block that a title names, one for other texts, and a little that is its own."""
    rows = []
    for text in texts:
        block = int(text.split()[1]) if text.startswith("block") else 2
        own = np.random.default_rng(list(text.encode())).normal(size=5) * 0.2
        rows.append(np.append(np.eye(3)[block], own))
    found = np.array(rows, np.float32).reshape(len(texts), 8)
    return found / np.linalg.norm(found, axis=1, keepdims=True)


register(EMBEDDER, 8, _vectors)


def recipe(*changed: str) -> Recipe:
    """Of the tiny recipe, on the sharp model, with few cases."""
    small = (
        "fit.rankers=[popularity]", f"retrieval.embedder={EMBEDDER}", f"allmrec.model={sharp_checkpoint()}",
        "allmrec.compute_dtype=float32", "allmrec.cases=60", "allmrec.num_train_epochs=2",
        "allmrec.learning_rate=1e-2", "allmrec.items.learning_rate=3e-3", "allmrec.items.num_train_epochs=4",
        "allmrec.domains=[movies]", "allmrec.save_seconds=0",
    )  # fmt: skip
    return load_recipe(Path("tiny"), [*small, *changed])


def write_stages(root: Path) -> dict[str, Path]:
    """The folders by stage, below `root`."""
    inputs = {name: root / name / "key" for name in ("data", "queries", "fit")}
    for folder in inputs.values():
        folder.mkdir(parents=True)
    _write_tables(inputs["data"])
    write_rows(inputs["data"] / "cases.parquet", [], Case)
    write_rows(inputs["queries"] / "prompts.parquet", [], Prompt)
    fit_stage.run(recipe(), inputs, inputs["fit"])
    return inputs


def _write_tables(data: Path) -> None:
    rng = np.random.default_rng(0)
    items, users, events = [], [], []
    for domain in DOMAINS:
        for code in range(ITEMS):
            title = f"block {code % 2} {code}"
            items.append((domain, code, f"{domain[0]}{code}", title, [], "", None, "{}", "", []))
        for user in range(USERS):
            users.append((domain, user, f"u{user}", "{}"))
            first = int(rng.integers(ITEMS))
            liked = [(first + 2 * step) % ITEMS for step in range(LIKES)]
            events += [
                (domain, user, code, 5.0, "rating", step, user, True) for step, code in enumerate(liked)
            ]
    pl.DataFrame(items, item_schema(), orient="row").write_parquet(data / "items.parquet")
    pl.DataFrame(users, user_schema(), orient="row").write_parquet(data / "users.parquet")
    schema = {**interaction_schema(), "liked": pl.Boolean}
    pl.DataFrame(events, schema, orient="row").write_parquet(data / "interactions.parquet")
