"""What is served to people of two tastes, whose right lists are known."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from rectune.core.figures.read_records import read_figures
from rectune.core.figures.rerank import RerankFigures
from rectune.core.figures.served import BEST_ALONE, ServedMetrics
from rectune.evaluation.served import measure_served
from tests.core.filled import record, write_stage
from tests.evaluation.served_world import (
    FIRST,
    HALF,
    SECOND,
    People,
    cases_of,
    context,
    fit,
    two_tastes,
    write,
)


def measured(root: Path, domains: dict[str, People], **settings: object) -> ServedMetrics:
    inputs = write(root, domains)
    inputs["fit"] = fit(root, inputs, list(domains))
    made = context(inputs, **settings)
    (root / "eval").mkdir()
    found = measure_served(cases_of(made), made, root / "eval")
    assert read_figures(ServedMetrics, root / "eval") == found
    return found


@pytest.fixture(scope="module")
def tastes(tmp_path_factory: pytest.TempPathFactory) -> ServedMetrics:
    people = two_tastes([FIRST, SECOND] * 5)
    return measured(tmp_path_factory.mktemp("tastes"), {"movies": people})


def test_the_whole_history_makes_the_next_item_the_first_that_is_served(tastes: ServedMetrics) -> None:
    # By the two items of the case's own history nine others of the taste would come before the target.
    systems = tastes.domains["movies"].systems
    assert list(systems) == ["served", "chosen", "popularity", "bm25", "item_knn"]
    for name in ("served", "chosen", "item_knn"):
        one = systems[name]
        assert one.users == 10
        assert (one.hit_at_10.mean, one.ndcg_at_10.mean, one.hit_at_1.mean) == (1.0, 1.0, 1.0)
        assert one.precision_at_10.mean == pytest.approx(0.1)
    assert systems["served"].auc is None and systems["item_knn"].auc.mean == 1.0


def test_ties_count_against_every_system_and_are_half_of_the_area(tastes: ServedMetrics) -> None:
    # Thirty train users like each item: the target ties with the twelve items of the other taste.
    popularity = tastes.domains["movies"].systems["popularity"]
    assert popularity.hit_at_10.mean == popularity.ndcg_at_10.mean == popularity.hit_at_1.mean == 0.0
    assert popularity.auc.mean == 0.5


def test_what_is_chosen_on_validation_users_is_said_and_compared(tastes: ServedMetrics) -> None:
    movies = tastes.domains["movies"]
    assert (
        movies.choice.defaults == () and movies.choice.cases == 60 and movies.choice.best_alone == "item_knn"
    )
    assert movies.choice.chosen["5+"].weights == {"item_knn": 1.0} and movies.choice.ndcg_at_10 == 1.0
    assert next(iter(tastes.validation.items())) == ("item_knn", 1.0) and tastes.validation["bm25"] == 0.0
    (same,) = movies.differences
    assert (same.against, same.users) == (BEST_ALONE, 10)
    assert (same.ndcg_at_10.mean, same.ndcg_at_10.low, same.ndcg_at_10.high) == (0.0, 0.0, 0.0)
    assert tastes.overall is not None and tastes.overall.differences == (same,)


def test_lists_are_counted_over_all_items(tastes: ServedMetrics) -> None:
    # Each user is served the target and, all alike, the first nine of the other taste.
    lists = tastes.domains["movies"].lists
    assert (lists.shown, lists.coverage) == (20, pytest.approx(20 / 24))
    assert lists.gini == pytest.approx(1 / 6)  # four items never, twenty once
    assert lists.novelty == pytest.approx(1.0)  # half of the train users like each
    assert lists.distance_by == "vectors" and 0 < lists.distance < 1


def test_train_users_whose_last_like_was_fitted_are_ranked_alike(tastes: ServedMetrics) -> None:
    movies = tastes.domains["movies"]
    assert movies.train_users == 10
    for name in ("served", "item_knn"):
        assert movies.systems[name].train_ndcg_at_10.mean == 1.0 and movies.systems[name].gap.mean == 0.0
    assert movies.systems["popularity"].train_ndcg_at_10.mean == 0.0


def test_what_a_user_met_and_did_not_like_is_not_served(tmp_path: Path) -> None:
    people = two_tastes([FIRST], {0: SECOND[:4]})
    lists = measured(tmp_path, {"movies": people}).domains["movies"].lists
    assert lists.shown == 1 + (HALF - 4)


def test_domains_are_pooled_by_users_and_bins_by_likes_of_the_target(tmp_path: Path) -> None:
    few = People(2 * HALF, [FIRST] * 12 + [SECOND] * 3, [FIRST, FIRST, SECOND] * 3)
    found = measured(tmp_path, {"books": two_tastes([FIRST] * 3), "movies": few})
    assert found.overall is not None and found.overall.users == 12
    bins = found.overall.bins
    assert {name: next((one.users for one in some.values()), 0) for name, some in bins.items()} == {
        "0": 0, "1-4": 3, "5-19": 6, "20+": 3,
    }  # fmt: skip
    # The twelve others like the twelve items of the other taste more: the target of three comes last.
    assert bins["1-4"]["popularity"].ndcg_at_10.mean == 0.0
    # Of those twelve, the target comes first.
    assert bins["5-19"]["popularity"].ndcg_at_10.mean == 1.0 == bins["5-19"]["popularity"].hit_at_10.mean
    whole = found.overall.systems["popularity"]
    assert whole.ndcg_at_10.mean == pytest.approx(6 / 12)
    assert whole.ndcg_at_10.low < 0.5 < whole.ndcg_at_10.high


def test_of_many_test_users_some_are_drawn(tmp_path: Path) -> None:
    people = two_tastes([FIRST] * 5)
    found = measured(tmp_path, {"movies": people}, served=3)
    assert found.domains["movies"].users == found.domains["movies"].train_users == 3


def test_a_single_test_user_has_figures_and_no_interval(tmp_path: Path) -> None:
    movies = measured(tmp_path, {"movies": two_tastes([FIRST])}).domains["movies"]
    served = movies.systems["served"]
    assert (served.ndcg_at_10.mean, served.ndcg_at_10.low, served.ndcg_at_10.high) == (1.0, None, None)
    assert served.gap is not None and served.gap.low is None
    assert movies.differences[0].ndcg_at_10.low is None


def test_without_any_likes_of_train_users_nothing_is_compared(tmp_path: Path) -> None:
    found = measured(tmp_path, {"movies": People(2 * HALF, [], [FIRST, SECOND])})
    movies = found.domains["movies"]
    assert "item_knn" not in movies.systems and movies.systems["served"].ndcg_at_10.mean == 0.0
    assert movies.choice.defaults == ("0", "1-4", "5+")
    assert movies.differences == () and found.validation == {} and movies.choice.best_alone is None
    assert movies.systems["served"].gap is None and movies.train_users == 0
    assert movies.lists.novelty is None and movies.lists.gini is not None
    assert movies.bins["0"]["served"].users == 2


def test_a_target_that_nobody_liked_is_in_the_lowest_bin_and_last_by_likes(tmp_path: Path) -> None:
    people = People(2 * HALF + 1, [FIRST] * 30 + [SECOND] * 30, [(*FIRST, 2 * HALF)])
    movies = measured(tmp_path, {"movies": people}).domains["movies"]
    assert movies.bins["0"]["item_knn"].ndcg_at_10.mean == 0.0 and movies.bins["20+"] == {}
    assert movies.systems["popularity"].auc.mean == 0.0


def test_a_domain_of_one_item_serves_nobody_and_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = measured(tmp_path, {"movies": People(1, [(0,)] * 3, [(0,)])})
    movies = found.domains["movies"]
    assert (movies.users, movies.without_history, movies.items) == (0, 1, 1)
    assert movies.systems == {} and movies.lists.gini is None and movies.lists.coverage == 0.0
    assert "nothing else is known of 1 test user" in capsys.readouterr().err


def test_the_only_item_that_is_left_is_served_and_has_no_area(tmp_path: Path) -> None:
    movies = measured(tmp_path, {"movies": People(2, [(0, 1)] * 3, [(0, 1)])}).domains["movies"]
    assert movies.systems["served"].ndcg_at_10.mean == 1.0 and movies.systems["chosen"].auc is None
    assert movies.lists.distance is None


def test_nothing_is_measured_where_nothing_is_asked_for_or_fitted(tmp_path: Path) -> None:
    inputs = write(tmp_path, {"movies": two_tastes([FIRST])})
    made = context(inputs)
    assert measure_served(cases_of(made), made, tmp_path).domains == {}
    assert read_figures(ServedMetrics, tmp_path).overall is None
    none = context({**inputs, "fit": fit(tmp_path, inputs, ["movies"])}, served=0)
    assert measure_served(cases_of(none), none, tmp_path).domains == {}


def test_a_model_that_was_not_found_to_help_is_not_asked(tmp_path: Path) -> None:
    inputs = write(tmp_path, {"movies": two_tastes([FIRST])})
    inputs |= {"fit": fit(tmp_path, inputs, ["movies"]), "export": tmp_path / "export"}  # there is no model
    alone = context(inputs)
    expected = measure_served(cases_of(alone), alone, tmp_path)
    inputs["rerank"] = tmp_path / "rerank"
    unsure = {"cases": 50, "likelihood": {"weight": 0.0, "best": 0.4}, "draft": {"weight": 0.0, "best": 0.1}}
    write_stage(inputs["rerank"], record(RerankFigures, domains={"movies": unsure}))
    beside = context(inputs)
    assert measure_served(cases_of(beside), beside, tmp_path) == expected
    assert expected.domains["movies"].systems["served"].ndcg_at_10.mean == 1.0


def test_rankers_that_were_fitted_are_loaded_and_others_are_fitted(tmp_path: Path) -> None:
    inputs = write(tmp_path, {"movies": two_tastes([FIRST])})
    alone = context(inputs)
    assert alone.fitted("movies") is None and alone.ranker("item_knn", "movies").name == "item_knn"
    made = context({**inputs, "fit": fit(tmp_path, inputs, ["movies"])})
    fitted = made.fitted("movies")
    assert fitted is not None and made.ranker("chosen", "movies") is fitted
    assert made.ranker("item_knn", "movies") is fitted.rankers["item_knn"]
    assert made.ranker("random", "movies").name == "random" and "random" not in fitted.rankers
    assert math.isclose(fitted.choice.histories["5+"].tried[0].ndcg_at_10, 1.0)
