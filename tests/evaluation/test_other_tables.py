"""Grounding and preference pairs in the report: known figures, intervals, warnings, command; damage leaves them out."""

from __future__ import annotations

import json

import pytest

from rectune.evaluation.pages.other_tables import grounding_tables, preference_table
from rectune.recommender.report import FLAGS, RESOLVED, as_markdown


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
    whole, near, domains = grounding_tables(grounding, "trial")
    assert whole.heads == ("draft", "retrieve", "constrained")
    cells = {line.name: line.cells for line in whole.lines}
    assert cells["resolves: exact"][:2] == ("0.250 [0.046, 0.699]", "1.000 [0.510, 1.000]")  # 1 and 4 of 4
    assert [cell[:5] for cell in cells["names what the catalogue lacks"]] == ["0.750", "0.000", "0.000"]
    assert len(cells) == len(RESOLVED) + len(FLAGS)
    assert "recipes/trial.yaml --until recommend" in whole.note and "4 test prompts" in whole.note
    shown = {line.name: line.cells[0] for line in near.lines}
    assert shown["the item recommended, after"] == "0.625" and "the item really taken" not in shown
    assert shown["names the item really taken"].startswith("0.250 [")
    (line,) = domains.lines
    assert (line.name, line.cells[0]) == ("films", "4")
    assert [cell[:5] for cell in line.cells[1:]] == ["0.250", "0.750", "1.000", "0.000"]


def test_the_files_of_the_stage_have_the_same_figures(grounding: dict) -> None:
    plain = as_markdown(grounding)
    assert "| resolves: exact | 25.0% | 100.0% | 100.0% |" in plain and "| hit@1 | 25.0% | 25.0% |" in plain


def test_preference_pairs_with_their_warnings() -> None:
    gap = {"mean": -2.5, "low": -4.0, "high": -1.0}
    found = {
        "pairs": 7,
        "prompts": 5,
        "sides": {"words": {"chosen": 10.0, "rejected": 12.5, "gap": gap}, "new": {"chosen": 1}},
        "warnings": ["5 prompts are few"],
    }
    table = preference_table(found, "")
    assert table and "7 pairs of 5 prompts" in table.note and "Warning: 5 prompts are few." in table.note
    assert "recipes/RECIPE.yaml" in table.note
    assert table.lines[0].cells == ("10.000", "12.500", "-2.500 [-4.000, -1.000]")
    assert table.lines[1].cells == ("1.000", "–", "–")


@pytest.mark.parametrize("damaged", [None, [], "x", {"modes": 3}, {"modes": {"retrieve": 1}, "sides": []}])
def test_damage_leaves_no_figures(damaged: object) -> None:
    cells = [cell for table in grounding_tables(damaged, "r") for line in table.lines for cell in line.cells]
    assert set(cells) <= {"–"}
    assert preference_table(damaged, "r") is None
