"""Which systems are compared with which."""

from rectune.evaluation.significance import compare_all


def test_pairs_are_made_once_and_corrected_together():
    listed = {"random": [2, 2], "popularity": [1, 2], "base": [1, 1], "base/x": [2, 2], "sft/x": [2, 1]}
    ranks = {name: {str(at): rank for at, rank in enumerate(row)} for name, row in listed.items()}
    rows = compare_all(ranks, {"0": "a", "1": "b"}, rounds=100, seed=0)
    assert [(row.system, row.against) for row in rows] == [
        ("base", "popularity"), ("base/x", "popularity"), ("sft/x", "popularity"), ("sft/x", "base/x"),
    ]  # fmt: skip
    assert all(row.holm >= row.p for row in rows)
