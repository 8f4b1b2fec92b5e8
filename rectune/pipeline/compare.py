"""`rectune compare`: finding the two evaluations."""

from __future__ import annotations

from pathlib import Path

from rectune.core.artifacts import ArtifactStore
from rectune.evaluation.compare import compare, comparison_text


def compared(one: str, other: str, store: ArtifactStore, *, as_json: bool) -> str:
    """Two evaluations side by side, as text or JSON.

    Args:
        one, other: each a folder of the stage `eval`, a recipe file or a recipe's name.
        store: where recipes' runs are.
        as_json: all figures instead of a table.

    Raises:
        UserError: one of them has no evaluation, or they have nothing in common.
    """
    found = compare(_folder(one, store), _folder(other, store))
    if as_json:
        return found.to_json()
    return comparison_text(found, (_name(one), _name(other)))


def _folder(run: str, store: ArtifactStore) -> Path:
    given = Path(run)
    if (given / "rankings.parquet").is_file():
        return given
    return store.resolve(given.stem, "eval")


def _name(run: str) -> str:
    return Path(run).stem
