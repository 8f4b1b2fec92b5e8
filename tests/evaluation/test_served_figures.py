"""Figures of ranks that are given: pooled users, differences, gaps, bins."""

from __future__ import annotations

import math

import numpy as np
import pytest

from rectune.core.figures.fit import DomainChoice
from rectune.core.figures.served import BEST_ALONE
from rectune.core.settings import EvaluateConfig
from rectune.evaluation.served import best_alone, validated_alone
from rectune.evaluation.served_figures import RankedUsers, group_figures, likes_bin
from rectune.evaluation.served_ranks import TargetRanks
from tests.core.filled import record

SETTINGS = EvaluateConfig(bootstrap=400)
SECOND_PLACE = 1 / math.log2(3)  # NDCG of rank 2


def ranked(domain: str, tests: dict[str, list[int]], best: str | None, train: int = 1) -> RankedUsers:
    """Users with these ranks; every train user's target has the rank `train`."""
    n = len(next(iter(tests.values())))
    return RankedUsers(
        users=[f"{domain}/{at}" for at in range(n)],
        train_users=[f"{domain}/t{at}" for at in range(n)],
        likes=np.arange(n, dtype=np.int64),
        tests={
            name: TargetRanks(
                np.array(ranks), np.array(ranks), np.full(n, np.nan if name == "served" else 0.75)
            )
            for name, ranks in tests.items()
        },
        trains={name: np.full(n, train, np.int64) for name in tests},
        best_alone=best,
    )


def test_what_is_served_is_compared_with_the_ranker_that_was_best_in_each_domain() -> None:
    one = ranked("a", {"served": [1] * 10, "ease": [2] * 10, "bm25": [1] * 10}, "ease")
    other = ranked("b", {"served": [11] * 10, "bm25": [1] * 10}, "bm25")
    found = group_figures([one, other], SETTINGS)
    by_name = {row.against: row for row in found.differences}
    assert list(by_name) == [BEST_ALONE, "ease"]
    best, ease = by_name[BEST_ALONE], by_name["ease"]
    assert (best.users, best.ndcg_at_10.mean) == (20, pytest.approx((1 - SECOND_PLACE - 1) / 2))
    assert best.ndcg_at_10.low < best.ndcg_at_10.mean < best.ndcg_at_10.high
    assert (ease.users, ease.ndcg_at_10.low) == (10, pytest.approx(1 - SECOND_PLACE))
    assert found.users == 20 and found.systems["ease"].users == 10
    assert found.systems["bm25"].ndcg_at_10.mean == 1.0 and found.systems["served"].hit_at_10.mean == 0.5


def test_a_domain_where_nothing_was_validated_has_no_best_ranker() -> None:
    found = group_figures([ranked("a", {"served": [1, 1], "bm25": [2, 2]}, None)], SETTINGS)
    assert found.differences == ()
    unfitted = group_figures([ranked("a", {"served": [1, 1], "bm25": [2, 2]}, "ease")], SETTINGS)
    assert unfitted.differences == ()


def test_the_gap_is_what_train_users_are_ranked_better_by() -> None:
    system = group_figures([ranked("a", {"served": [2] * 12}, None)], SETTINGS).systems["served"]
    assert system.train_ndcg_at_10.mean == 1.0 and system.auc is None
    gap = (system.gap.low, system.gap.mean, system.gap.high)
    assert gap == pytest.approx((1 - SECOND_PLACE,) * 3)
    worse = group_figures([ranked("a", {"served": [1] * 12}, None, train=50)], SETTINGS).systems["served"]
    assert worse.gap.mean == -1.0


def test_targets_are_in_bins_by_the_train_users_who_liked_them() -> None:
    assert [likes_bin(n) for n in (0, 1, 4, 5, 19, 20, 9999)] == [
        "0", "1-4", "1-4", "5-19", "5-19", "20+", "20+",
    ]  # fmt: skip
    bins = group_figures([ranked("a", {"served": [1] + [11] * 29}, None)], SETTINGS).bins
    assert {name: one["served"].users for name, one in bins.items()} == {
        "0": 1, "1-4": 4, "5-19": 15, "20+": 10,
    }  # fmt: skip
    assert bins["0"]["served"].ndcg_at_10.mean == 1.0 and bins["20+"]["served"].ndcg_at_10.mean == 0.0
    assert bins["0"]["served"].ndcg_at_10.low is None and bins["20+"]["served"].ndcg_at_10.low == 0.0


def test_without_users_there_is_no_figure() -> None:
    found = group_figures([ranked("a", {"served": []}, None)], SETTINGS)
    assert (found.users, found.systems, found.differences) == (0, {}, ())
    assert all(not one for one in found.bins.values())


def choice(cases: int, **gains: float) -> DomainChoice:
    tried = [{"weights": {name: 1.0}, "ndcg@10": gain} for name, gain in gains.items()]
    tried.append({"weights": {"ease": 0.5, "bm25": 0.5}, "ndcg@10": 0.99})
    return record(DomainChoice, histories={"5+": {"cases": cases, "tried": tried}})


def test_rankers_are_ordered_by_validation_users_and_fusions_are_no_rankers() -> None:
    one, other = choice(100, ease=0.3, bm25=0.4), choice(300, ease=0.3, bm25=0.2, als=0.1)
    assert (best_alone(one), best_alone(other)) == ("bm25", "ease")
    assert validated_alone([one, other]) == {
        "ease": pytest.approx(0.3), "bm25": pytest.approx(0.25), "als": 0.1,
    }  # fmt: skip
    assert list(validated_alone([one, other])) == ["ease", "bm25", "als"]
    assert best_alone(record(DomainChoice)) is None and validated_alone([record(DomainChoice)]) == {}
