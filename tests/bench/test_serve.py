"""bench.serve: its percentiles, goals and table, and its smallest run against a real server."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.serve_figures import Figure, percentile, percentiles, ratio, table
from bench.serve_server import counters, made_up_items

ROOT = Path(__file__).parents[2]


def test_percentiles_of_known_times():
    times = [float(number) for number in range(1, 101)]
    random.Random(0).shuffle(times)
    assert [percentile(times, percent) for percent in (50, 95, 99, 100)] == [50, 95, 99, 100]
    assert percentile([7.0], 50) == percentile([7.0], 99) == 7
    assert percentile([1.0, 9.0], 95) == 9  # it is a time that was measured, not one between two
    assert percentile([], 95) is None


@given(st.lists(st.floats(0, 1e6), min_size=1), st.sampled_from([50, 95, 99]))
def test_so_many_percent_are_not_above_a_percentile(times: list[float], percent: int):
    found = percentile(times, percent)
    assert found in times
    assert 100 * sum(time <= found for time in times) >= percent * len(times)
    assert 100 * sum(time < found for time in times) < percent * len(times)


def test_goals_are_met_at_their_bounds_and_never_by_what_was_not_measured():
    assert Figure("a", "b", 50, most=50).met is True and Figure("a", "b", 50.1, most=50).met is False
    assert Figure("a", "b", 1.4, least=1.4).met is True and Figure("a", "b", 1.39, least=1.4).met is False
    assert (
        Figure("a", "b", 3, most=4, least=2).met is True and Figure("a", "b", 1, most=4, least=2).met is False
    )
    assert Figure("a", "b", None, most=0).met is False and Figure("a", "b", None).met is None
    median, p95, p99 = percentiles("1 ranking", "query", [10.0, 60.0], 50)
    assert (median.value, median.met, p95.value, p95.met, p99.met) == (10, None, 60, False, None)
    assert ratio(3, 2) == 1.5 and ratio(3, 0) is None


def test_the_table_has_goals_beside_figures():
    figures = [
        Figure("1 ranking", "history: p95", 12.3456, "ms", most=50),
        Figure("3 reasons", "eight by one", 1.25, least=1.4),
        Figure("4 overload", "503", 1234),
        Figure("4 overload", "longest wait", None, "s"),
    ]
    lines = table(figures).to_markdown().splitlines()
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    assert rows[0] == ["part", "figure", "measured", "goal", "met"]
    assert rows[2:] == [
        ["1 ranking", "history: p95", "12.3 ms", "at most 50", "yes"],
        ["3 reasons", "eight by one", "1.25", "at least 1.4", "no"],
        ["4 overload", "503", "1,234", "–", "–"],
        ["4 overload", "longest wait", "–", "–", "–"],
    ]


def test_counters_are_read_with_their_labels():
    text = '# HELP a What.\n# TYPE a counter\na 3\na_total{by="a model",x="} 7"} 2\nb 0.5\n'
    assert counters(text) == {"a": 3, 'a_total{by="a model",x="} 7"}': 2, "b": 0.5}


def test_made_up_items_differ_and_are_the_same_for_the_same_seed():
    items = made_up_items(500, 1)
    assert items == made_up_items(500, 1) != made_up_items(500, 2)
    assert len({one.title for one in items}) == len({one.item_id for one in items}) == 500
    assert all(one.categories and one.description for one in items)


@pytest.mark.slow
def test_a_quick_run_on_a_small_catalogue_comes_to_its_end(tmp_path: Path):
    written = tmp_path / "figures.json"
    done = subprocess.run(
        [sys.executable, "-m", "bench.serve", "--quick", "--items", "120", "--json", str(written)],
        cwd=ROOT,
        env=os.environ | {"TMPDIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-5000:]
    found = json.loads(written.read_text())
    figures = {(one["part"], one["name"]): one["value"] for one in found["figures"]}
    assert {part for part, _ in figures} == {"1 ranking", "2 many users", "3 reasons", "4 overload"}
    assert figures["2 many users", "10 users, answers with 200"] == 500
    assert figures["4 overload", "neither"] == figures["4 overload", "503 without Retry-After"] == 0
    assert figures["4 overload", "503"] > 0 and figures["3 reasons", "prompt tokens sent"] > 0
    assert figures["3 reasons", "prompt tokens, evaluated by sent"] <= 1
    assert "| 4 overload | 503 |" in done.stdout
    assert not [one for one in tmp_path.iterdir() if one != written]  # the store is gone
