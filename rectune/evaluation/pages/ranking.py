"""The ranking section: what may be concluded from what the stage `eval` measured, and all its tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rectune.core.text.figures import mapping, number
from rectune.core.text.markdown import one_line
from rectune.evaluation.pages.finished import Finished
from rectune.evaluation.pages.page import Block, pictures
from rectune.rankers.report import ranking_tables

CLAIM = 500  # users; below it the 95 % interval of a share near 0.3 is wider than 0.08
_QUANTISED = (
    "sft and dpo were trained on the base's 4-bit (NF4) form, while base is ranked as it was: part of the "
    "difference between them is that quantisation."
)


@dataclass(frozen=True)
class SystemRow:
    """One system over all domains; `low` to `high` is the 95 % interval of `hit` (Hit@1). None: unknown."""

    system: str
    n: int
    hit: float | None = None
    low: float | None = None
    high: float | None = None
    mrr: float | None = None
    ndcg: float | None = None


@dataclass(frozen=True)
class Results:
    """The ranking in short; `candidates` and `chance` are None where they were not recorded."""

    candidates: int | None = None
    chance: float | None = None
    systems: tuple[SystemRow, ...] = ()
    verdict: str = ""
    protocol: str = ""
    intervals: str = ""


def read_results(document: Any) -> Results:
    """From metrics.json; whatever is missing in it is missing in the result."""
    found = mapping(document)
    rows = tuple(_system(str(name), mapping(entry)) for name, entry in mapping(found.get("systems")).items())
    candidates = found.get("candidates")
    return Results(
        candidates=candidates if isinstance(candidates, int) else None,
        chance=number(found.get("chance")),
        systems=rows,
        verdict=verdict(rows),
        protocol=str(found.get("protocol", "")),
        intervals=str(found.get("intervals", "")),
    )


def verdict(rows: Sequence[SystemRow]) -> str:
    """What may be concluded, by the number of users and the intervals' width; empty without results."""
    if not rows:
        return ""
    n = min(row.n for row in rows)
    widths = [row.high - row.low for row in rows if row.low is not None and row.high is not None]
    width = f", and intervals up to {max(widths):.2f} wide" if widths else ""
    if n < CLAIM:
        return f"With n = {n} users{width}, no claim is made: these figures show that the measurement runs."
    return f"n = {n} users{width}: systems whose intervals overlap are not told apart."


def ranking(run: Finished, results: Results, figures: Path) -> list[Block]:
    """The section; `figures` has the charts hits.png and pairs.png, where they could be drawn."""
    if not results.systems:
        return ["No evaluation was recorded."]
    number_of = results.candidates or "the case's"
    chance = "" if results.chance is None else f"; chance is {results.chance:.3f}"
    said = ". Intervals: ".join(filter(None, (results.protocol, results.intervals)))
    return [
        f"One item that the user really took next, among {number_of} candidates{chance}.",
        f"**{results.verdict}**",
        f"Protocol: {one_line(said)}." if said else "",
        _QUANTISED if mapping(run.settings.get("models")).get("load_in_4bit") else "",
        pictures(
            figures,
            {"hits.png": "Hit at 1 of every system with its 95 % interval, and chance as a dashed line"},
        ),
        pictures(
            figures,
            {"pairs.png": "Differences of Hit at 1 from the best match by embedding, with 95 % intervals"},
        ),
        *ranking_tables(run.document("eval", "metrics.json"), run.recipe),
    ]


def _system(name: str, entry: Mapping[str, Any]) -> SystemRow:
    interval, n = entry.get("interval"), entry.get("n")
    low, high = interval if isinstance(interval, list) and len(interval) == 2 else (None, None)
    return SystemRow(
        system=name,
        n=n if isinstance(n, int) else 0,
        hit=number(entry.get("hit@1")),
        low=number(low),
        high=number(high),
        mrr=number(entry.get("mrr")),
        ndcg=number(entry.get("ndcg@10")),
    )
