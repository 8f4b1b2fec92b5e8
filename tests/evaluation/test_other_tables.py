"""Grounding and preference pairs in the report: known figures, intervals, warnings, command."""

from __future__ import annotations

import pytest

from rectune.core.figures.grounding import GroundingReport
from rectune.core.figures.preferences import HealthReport
from rectune.evaluation.pages.training import preference_tables
from rectune.recommender.grounding_report import FLAGS, RESOLVED, grounding_tables
from tests.core.filled import record


def side(exact: float, invented: float) -> dict:
    resolved = dict.fromkeys(RESOLVED, 0.0) | {"exact": exact, "embedding": 1 - exact}
    part = {"n": 4, "resolved": resolved, "flags": dict.fromkeys(FLAGS, 0.0) | {"invented": invented}}
    return {**part, "domains": {"films": part}}


@pytest.fixture
def grounding() -> GroundingReport:
    near = {"n": 3, "draft": 0.5, "item": 0.625, "items": 0.5, "target": None, "hit@1": 0.25, "hit@top": 0.5}
    modes = {name: {"answers": side(1.0, 0.0), "relevance": near} for name in ("retrieve", "constrained")}
    return record(GroundingReport, cases=4, grounding="retrieve", draft=side(0.25, 0.75), modes=modes)


def test_grounding_before_and_after_with_intervals(grounding: GroundingReport) -> None:
    whole, near, domains = grounding_tables(grounding, "Made by: x.")
    assert whole.heads == ("answers", "draft", "retrieve", "constrained")
    cells = {row[0]: row[1:] for row in whole.rows}
    assert cells["resolves: exact"][:2] == ("0.250 [0.046, 0.699]", "1.000 [0.510, 1.000]")  # 1 and 4 of 4
    assert [str(cell)[:5] for cell in cells["names what the catalogue lacks"]] == ["0.750", "0.000", "0.000"]
    assert len(cells) == len(RESOLVED) + len(FLAGS)
    assert whole.note.endswith("Made by: x.") and "4 test prompts" in whole.note
    shown = {row[0]: str(row[1]) for row in near.rows}
    assert shown["the item recommended, after"] == "0.625" and "the item really taken" not in shown
    assert shown["names the item really taken"].startswith("0.250 [")
    ((name, n, *shares),) = domains.rows
    assert (name, n) == ("films", 4)
    assert [str(cell)[:5] for cell in shares] == ["0.250", "0.750", "1.000", "0.000"]


def test_preference_pairs_with_their_warnings() -> None:
    gap = {"mean": -2.5, "low": -4.0, "high": -1.0}
    sides = {"words": {"chosen": 10.0, "rejected": 12.5, "gap": gap}, "score": {"chosen": 1.0}}
    meanings = {"words": "words an answer", "repetition": "r", "score": "s", "names_item": "n"}
    found = {
        "pairs": 7,
        "prompts": 5,
        "sides": sides,
        "warnings": ["5 prompts are few"],
        "meanings": meanings,
    }
    (table,) = preference_tables(record(HealthReport, **found), "Made by: x.")
    assert "7 pairs of 5 prompts" in table.note and "Warning: 5 prompts are few." in table.note
    assert table.note.endswith("Made by: x.")
    assert table.rows[0] == ("words an answer", "10.000", "12.500", "-2.500 [-4.000, -1.000]")
    assert table.rows[2] == ("s", "1.000", "0.000", "+0.000") and len(table.rows) == 4
