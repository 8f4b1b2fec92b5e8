"""Rankers that take minutes among those that are chosen from: what is said before, and what is kept."""

from pathlib import Path

import numpy as np

from rectune.rankers.choice import ChoiceOptions, choose
from rectune.rankers.fit_cache import FitCache
from tests.rankers.sequential.sequence_world import ring, walks

RANKERS = ("popularity", "bm25", "item_knn", "sasrec")


def test_what_reads_the_order_is_chosen_its_cost_said_first_and_paid_once(tmp_path: Path, capsys):
    data = ring(users=60)
    first = choose(data, ChoiceOptions(RANKERS, 30, cache=FitCache(tmp_path)))
    said = capsys.readouterr().err
    assert "sasrec: 4 fits ahead, on holdouts and on all likes; an epoch takes about" in said
    weights = first.choice.histories["1-4"].chosen.weights
    assert max(weights, key=lambda name: weights[name]) == "sasrec"
    assert first.choice.warm_started == ()
    again = FitCache(tmp_path)
    second = choose(data, ChoiceOptions(RANKERS, 30, cache=again))
    assert "fits ahead" not in capsys.readouterr().err and not again.made
    assert second.choice == first.choice
    scores = [chosen.rankers["sasrec"].score_all(walks()) for chosen in (first, second)]
    np.testing.assert_array_equal(*scores)
