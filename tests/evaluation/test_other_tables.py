"""Grounding and preference pairs in the report: known figures, intervals, warnings, command; damage leaves
them out.
"""

from __future__ import annotations

import json

import pytest

from rectune.evaluation.pages.training import preference_table
from rectune.recommender.grounding_report import FLAGS, RESOLVED, grounding_tables


def side(exact: float, invented: float) -> dict:
    resolved = dict.fromkeys(RESOLVED, 0.0) | {"exact": exact, "embedding": 1 - exact}
    part = {"n": 4, "resolved": resolved, "flags": dict.fromkeys(FLAGS, 0.0) | {"invented": invented}}
    return {**part, "domains": {"films": part}}


@pytest.fixture
def grounding() -> dict:
    near = {"n": 3, "draft": 0.5, "item": 0.625, "items": 0.5, "target": None, "hit@1": 0.25, "hit@top": 0.5}
    modes = {name: {"answers": side(1.0, 0.0), "relevance": near} for name in ("retrieve", "constrained")}
    found = {"cases": 4, "ground": "retrieve", "draft": side(0.25, 0.75), "modes": modes}
    return json.loads(json.dumps(found))


def test_grounding_before_and_after_with_intervals(grounding: dict) -> None:
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
    found = {
        "pairs": 7,
        "prompts": 5,
        "sides": {"words": {"chosen": 10.0, "rejected": 12.5, "gap": gap}, "new": {"chosen": 1}},
        "warnings": ["5 prompts are few"],
    }
    table = preference_table(found, "Made by: x.")
    assert "7 pairs of 5 prompts" in table.note and "Warning: 5 prompts are few." in table.note
    assert table.note.endswith("Made by: x.")
    assert table.rows[0] == ("words", "10.000", "12.500", "-2.500 [-4.000, -1.000]")
    assert table.rows[1] == ("new", "1.000", "–", "–")


@pytest.mark.parametrize("damaged", [None, [], "x", {"modes": 3}, {"modes": {"retrieve": 1}, "sides": []}])
def test_damage_leaves_no_figures(damaged: object) -> None:
    cells = [cell for table in grounding_tables(damaged) for row in table.rows for cell in row[1:]]
    assert set(cells) <= {"–"}
    assert not preference_table(damaged, "").rows
