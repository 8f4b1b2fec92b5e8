"""bench.learning_curve: rows of every form, batches, scores of titles, ranks, and the whole program once."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from bench.learning_curve import cells
from bench.learning_model import batched, share
from bench.learning_rows import Row
from bench.learning_tables import Group, Scored, alone, fused, ranks_of, table

ROOT = Path(__file__).parents[2]


def test_a_batch_has_at_most_its_tokens_and_every_row_is_in_one():
    rows = [Row([0] * size, [True] * size) for size in (600, 500, 2000, 10, 20)]
    found = batched(rows, 7)
    assert sorted(len(row.tokens) for batch in found for row in batch) == [10, 20, 500, 600, 2000]
    assert all(len(batch) == 1 or sum(len(row.tokens) for row in batch) <= 1024 for batch in found)


def test_the_learning_rate_rises_to_its_peak_and_falls_to_nothing():
    rates = [share(step, 100) for step in range(100)]
    assert max(rates) == 1.0 == rates[9] and rates[0] == 0.1 and 0 < rates[-1] < 0.001


def test_the_base_models_come_first_and_each_is_asked_as_it_was_trained():
    assert [cell.name for cell in cells(["list"], [4], [7])] == ["base, list", "list-4-7, list"]
    found = cells(["list", "title"], [4, 8], [7])
    assert [cell.name for cell in found[:2]] == ["base, list", "base, closing"]
    assert {cell.by for cell in found if cell.form == "title"} == {"closing"}
    assert {cell.by for cell in cells(["title"], [4], [7], "list")} == {"list"}


def test_a_model_that_knows_the_target_gets_all_weight_and_one_that_knows_nothing_none():
    rng = np.random.default_rng(7)
    ranker = rng.normal(size=(60, 5))
    knows = Scored(np.eye(5)[[0] * 60] + rng.normal(size=(60, 5)) / 100, np.zeros((60, 5)))
    assert (alone(knows) == 1).all() and (fused(knows, ranker) == 1).all()
    blind = Scored(np.zeros((60, 5)), np.zeros((60, 5)))
    assert (fused(blind, ranker) == ranks_of(ranker)).all()
    group = Group("films", [f"u{at}" for at in range(60)], "ease", ranker, {"base": blind, "list": knows})
    ease, base, best = table(group).rows
    assert base[6] == "" and best[3].startswith("1.000") and ease[0] == "`ease`"


@pytest.mark.slow
def test_the_whole_program_on_the_samples(tmp_path: Path):
    command = [sys.executable, "-m", "bench.learning_curve", "--quick", "--runs", str(tmp_path)]
    first = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    assert first.returncode == 0, first.stderr
    assert "mixture-4-7, list" in first.stdout and "books, uniform others" in first.stdout
    again = subprocess.run([*command, "--known"], capture_output=True, text=True, cwd=ROOT, check=False)
    tables = [run.stdout[run.stdout.index("### ") :] for run in (first, again)]  # behind warnings
    assert tables[0] == tables[1]
