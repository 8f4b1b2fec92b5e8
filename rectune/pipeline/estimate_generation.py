"""How long queries and rationales would take, from the probe of `rectune run --dry-run`."""

from __future__ import annotations

from collections.abc import Sequence

from rectune.core.errors import UserError
from rectune.core.recipe import Recipe
from rectune.core.runs import RunStore, ledger_path
from rectune.pipeline.plan import Step

_KINDS = ("queries", "rationales")


def generation_notes(recipe: Recipe, steps: Sequence[Step], store: RunStore, *, probing: bool) -> list[str]:
    """A line a kind of requests; where nothing can be measured, why not.

    Args:
        recipe: sections `prompts` and `generate`.
        steps: the plan; the probe needs the finished stage `data`.
        store: where that is; answers of the probe stay in its ledger.
        probing: whether the teachers may be asked a few times.
    """
    planned = {step.stage.name: step for step in steps}
    if all(planned[name].state == "finished" for name in _KINDS):
        return []
    if planned["data"].state != "finished":
        return ["queries, rationales: unknown until the stage data has run"]
    if not probing:
        return ["queries, rationales: not probed"]
    from rectune.datagen.dry import dry_run

    data = store.folder("data", planned["data"].key)
    try:
        text = dry_run(recipe, data, ledger_path(data))
    except UserError as absent:
        return [f"queries, rationales: {absent.found}"]
    return [line for line in text.splitlines() if line.startswith(tuple(f"{kind}: " for kind in _KINDS))][-2:]
