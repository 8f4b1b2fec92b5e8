"""`rectune compare`: finding the two evaluations."""

from __future__ import annotations

from pathlib import Path

from rectune.core.artifacts import ArtifactStore
from rectune.evaluation.compare import compare, comparison_text
from rectune.pipeline.recipe_results import finished_result


def compared(one: str, other: str, store: ArtifactStore, *, as_json: bool) -> str:
    """Two evaluations side by side, as text or JSON.

    Args:
        one, other: each a folder of the stage `eval`, a recipe file, or the name of a recipe or of its runs.
        store: where recipes' runs are.
        as_json: all figures instead of a table.

    Raises:
        UserError: one of them has no evaluation, or they have nothing in common.
    """
    found = compare(_folder(one, store), _folder(other, store))
    if as_json:
        return found.to_json()
    return comparison_text(found, _names(one, other))


def _folder(run: str, store: ArtifactStore) -> Path:
    given = Path(run)
    if (given / "rankings.parquet").is_file():
        return given
    return finished_result(given, "eval", store)


def _names(one: str, other: str) -> tuple[str, str]:
    """What tells the two apart: their names without the ending, and as much of their folders as it takes."""
    first, second = Path(one).with_suffix("").parts, Path(other).with_suffix("").parts
    for count in range(1, max(len(first), len(second)) + 1):
        if first[-count:] != second[-count:]:
            return "/".join(first[-count:]), "/".join(second[-count:])
    return Path(one).stem, Path(other).stem
