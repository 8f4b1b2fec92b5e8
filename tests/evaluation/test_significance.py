"""Which systems are compared with which."""

from rectune.core.stats.metrics import UserBootstrap
from rectune.evaluation.significance import compare_all


def test_pairs_are_made_once_and_corrected_together():
    ranks = {"random": [2, 2], "popularity": [1, 2], "base": [1, 1], "base/x": [2, 2], "sft/x": [2, 1]}
    rows = compare_all(ranks, UserBootstrap(["a", "b"], 100, 0))
    assert [(row.system, row.against) for row in rows] == [
        ("base", "popularity"), ("base/x", "popularity"), ("sft/x", "popularity"), ("sft/x", "base/x"),
    ]  # fmt: skip
    assert all(row.holm >= row.p for row in rows)
