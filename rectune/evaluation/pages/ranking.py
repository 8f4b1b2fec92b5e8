"""The ranking section: what may be concluded from what the stage `eval` measured, and all its tables."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rectune.core.text.figures import mapping, number, rows
from rectune.core.text.markdown import escaped
from rectune.evaluation.pages.figures import SystemRow, difference_chart, hit_chart
from rectune.evaluation.pages.finished_stages import FinishedStages
from rectune.evaluation.pages.page import Block, pictures
from rectune.rankers.ranking_tables import ranking_tables

CLAIM = 500  # users; below it the 95 % interval of a share near 0.3 is wider than 0.08
_QUANTISED = (
    "sft and dpo were trained on the base's 4-bit (NF4) form, while base is ranked as it was: part of the "
    "difference between them is that quantisation."
)
_HITS = {"hits.png": "Hit at 1 of every system with its 95 % interval, and chance as a dashed line"}
_PAIRS = {"pairs.png": "Differences of Hit at 1 from the best match by embedding, with 95 % intervals"}


def read_systems(metrics: Any) -> list[SystemRow]:
    """From metrics.json; whatever is missing in it is missing in the rows."""
    found = []
    for name, given in mapping(mapping(metrics).get("systems")).items():
        entry = mapping(given)
        interval, n = entry.get("interval"), entry.get("n")
        low, high = interval if isinstance(interval, list) and len(interval) == 2 else (None, None)
        count = n if isinstance(n, int) else 0
        found.append(SystemRow(str(name), count, number(entry.get("hit@1")), number(low), number(high)))
    return found


def verdict(systems: Sequence[SystemRow]) -> str:
    """What may be concluded, by the number of users and the intervals' width; empty without results."""
    if not systems:
        return ""
    n = min(row.n for row in systems)
    widths = [row.high - row.low for row in systems if row.low is not None and row.high is not None]
    width = f", and intervals up to {max(widths):.2f} wide" if widths else ""
    if n < CLAIM:
        return f"With n = {n} users{width}, no claim is made: these figures show that the measurement runs."
    return f"n = {n} users{width}: systems whose intervals overlap are not told apart."


def ranking(run: FinishedStages, figures: Path) -> list[Block]:
    """The section; draws its charts into the folder `figures`."""
    metrics = mapping(run.document("eval", "metrics.json"))
    systems, chance = read_systems(metrics), number(metrics.get("chance"))
    if not systems:
        return ["No evaluation was recorded."]
    hit_chart(systems, chance, figures / "hits.png")
    difference_chart(rows(metrics.get("pairs")), figures / "pairs.png")
    candidates = escaped(metrics.get("candidates") or "the case's")
    said = ". Intervals: ".join(str(metrics[key]) for key in ("protocol", "intervals") if metrics.get(key))
    return [
        f"One item that the user really took next, among {candidates} candidates"
        f"{'' if chance is None else f'; chance is {chance:.3f}'}.",
        f"**{verdict(systems)}**",
        f"Protocol: {escaped(said)}." if said else "",
        _QUANTISED if mapping(run.settings.get("models")).get("load_in_4bit") else "",
        pictures(figures, _HITS),
        pictures(figures, _PAIRS),
        *ranking_tables(metrics, run.recipe),
    ]
