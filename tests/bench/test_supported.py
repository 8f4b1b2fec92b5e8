"""bench.supported: runs are compared over the prompts that all of them answered."""

from __future__ import annotations

import math

from bench.supported import shares_table


def test_runs_are_compared_over_the_prompts_that_all_answered_and_of_which_something_is_known():
    one = {"a": 1.0, "b": 0.5, "c": math.nan, "d": 0.0}
    other = {"a": 0.5, "b": 0.5, "c": 0.2}
    table = shares_table(["one", "other"], "sft", [one, other], {"a": "kim", "b": "lee", "c": "kim"})
    (_, first, nothing), (_, second, less) = table.rows
    assert str(first).startswith("0.750") and nothing == "" and str(second).startswith("0.500")
    assert str(less).startswith("-0.250 [-0.500, +0.000]")
    assert table.note == "2 prompts; of 1 nothing is known" and table.title == "answers of sft"
