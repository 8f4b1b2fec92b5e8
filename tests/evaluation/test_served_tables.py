"""The tables of what is served: what comes first, and what they say of differences."""

from __future__ import annotations

from typing import Any

import pytest

from rectune.core.figures.served import ServedDifference, ServedMetrics
from rectune.rankers.served_tables import difference_in_words, served_tables
from tests.core.filled import record

RANKERS = [
    "popularity",
    "recent_popularity",
    "bm25",
    "embedding_best",
    "hybrid",
    "item_knn",
    "svd",
    "ease",
    "als",
]


def mean(value: float, low: float | None = None, high: float | None = None) -> dict[str, Any]:
    return {"mean": value, "low": low, "high": high}


def system(gain: float) -> dict[str, Any]:
    figures = {name: mean(gain, gain - 0.01, gain + 0.01) for name in ("hit@10", "ndcg@10", "hit@1", "auc")}
    return {"users": 40, **figures, "gap": mean(0.25, 0.1, 0.4)}


def metrics() -> ServedMetrics:
    """On test users `als` is the best ranker, on validation users the worst."""
    systems = {"served": system(0.3), "chosen": system(0.31)}
    systems |= {name: system(0.1 + at / 100) for at, name in enumerate(RANKERS)}
    best = {"against": "best alone on validation", "users": 40, "ndcg@10": mean(0.02, 0.01, 0.03)}
    ease = {"against": "ease", "users": 40, "ndcg@10": mean(0.02, -0.01, 0.03)}
    group = {"users": 40, "train_users": 30, "systems": systems, "differences": [best, ease]}
    few = {name: {"users": 5, "ndcg@10": mean(0.125), "hit@10": mean(0.5)} for name in systems}
    choice = {
        "chosen": {
            "0": {"weights": {"popularity": 1.0}},
            "1-4": {"weights": {"ease": 0.7, "bm25": 0.3}, "half_likes": 2.0},
            "5+": {"weights": {"ease": 1.0}},
        },
        "cases": 99,
        "ndcg@10": 0.287,
        "best_alone": "ease",
    }
    lists = {"shown": 7, "coverage": 0.07, "gini": 0.5, "distance": 0.625, "novelty": 4.5}
    lists |= {"distance_by": "vectors"}
    domain = {**group, "items": 100, "choice": choice, "lists": lists}
    bm25 = {length: {"weights": {"bm25": 1.0}} for length in ("0", "1-4", "5+")}
    unknown = {"users": 0, "choice": {"chosen": bm25, "defaults": ["1-4", "5+"]}}
    return record(
        ServedMetrics,
        protocol="what the recommender serves",
        candidates=20,
        overall={**group, "bins": {"1-4": few}},
        validation={name: 0.2 - at / 100 for at, name in enumerate(RANKERS)},
        domains={"films": domain, "songs": unknown},
    )


def test_what_is_served_comes_first_and_rankers_by_validation_users() -> None:
    first, *_ = served_tables(metrics(), "trial")
    assert first.title == "What is served"
    assert [row[0] for row in first.rows] == ["served", *RANKERS[:7]]
    assert first.rows[0] == (
        "served", 40, "0.300 [0.290, 0.310]", "0.300 [0.290, 0.310]", "0.300 [0.290, 0.310]", "–",
    )  # fmt: skip
    assert first.heads[4] == "Hit@1 of 20" and first.rows[1][-1] == "0.200"
    assert "+0.020 [+0.010, +0.030], n = 40: what is served is better" in first.note
    assert "less the ranker that was best alone on validation +0.020" in first.note
    assert "less the ranker ease +0.020 [-0.010, +0.030], n = 40: no difference is shown" in first.note


def test_every_table_says_its_protocol_and_its_command() -> None:
    tables = served_tables(metrics(), "trial")
    assert [table.title for table in tables] == [
        "What is served",
        "What is served, by domain",
        "Served: every system on the same users",
        "Served: NDCG@10 by domain",
        "Served: by likes of the next item",
        "Served: what the lists are like",
    ]
    for table in tables:
        assert "Made by: rectune run recipes/trial.yaml --until eval." in table.note
        assert "hat the recommender serves" in table.note or "what the lists are like" in table.title
    for table in tables[:5]:
        assert "95 %" in table.note


def test_by_domain_what_was_chosen_and_how_it_does_on_other_users() -> None:
    _, domains, *_ = served_tables(metrics(), "trial")
    films, songs = domains.rows
    assert films == (
        "films", "popularity", "0.7 ease + 0.3 bm25, half at 2 likes", "ease", 99, "0.287", 40,
        "0.300 [0.290, 0.310]", "ease", "+0.020 [+0.010, +0.030]",
    )  # fmt: skip
    assert songs == ("songs", "bm25", *["bm25 (default)"] * 2, 0, "–", 0, "–", "–", "–")


def test_behind_them_all_systems_bins_and_lists() -> None:
    _, _, systems, by_domain, bins, lists = served_tables(metrics(), "trial")
    assert systems.rows[1][0] == "chosen" and len(systems.rows) == 2 + len(RANKERS)
    assert systems.rows[0][-1] == "+0.250 [+0.100, +0.400]" and "30 train users" in systems.note
    assert by_domain.heads == ("system", "films, n = 40", "songs, n = 0")
    assert by_domain.rows[0][1:] == ("0.300 [0.290, 0.310]", "–")
    assert bins.heads[1:] == ("0 likes, n = 0", "1-4 likes, n = 5", "5-19 likes, n = 0", "20+ likes, n = 0")
    assert bins.rows[0] == ("served", "–", "0.125 / 0.500", "–", "–")
    assert lists.rows[0] == ("films", 40, 100, 7, "7.0 %", "0.500", "0.625", "4.500")


@pytest.mark.parametrize(
    ("low", "high", "said"),
    [
        (0.0, 0.0, "no difference is shown"),
        (-0.2, -0.1, "what is served is worse"),
        (0.1, 0.2, "what is served is better"),
        (None, None, "too few users for an interval"),
    ],
)
def test_a_difference_is_one_where_its_interval_leaves_out_nothing(
    low: float | None, high: float | None, said: str
) -> None:
    one = record(ServedDifference, against="als", users=3, ndcg_at_10=mean(0.0, low, high))
    assert said in difference_in_words(one)


def test_where_nothing_was_measured_there_is_no_table() -> None:
    assert served_tables(record(ServedMetrics), "trial") == []
    assert served_tables(record(ServedMetrics, overall={"users": 0}), "trial") == []
