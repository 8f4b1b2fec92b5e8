import math

import numpy as np
import pytest

from rectune.core.settings import EvaluateConfig
from rectune.evaluation.llm_ranking import model_cases
from rectune.evaluation.protocol import KEPT, ranked, summarise
from rectune.evaluation.ranking_tasks import RankingTask, own_tasks
from rectune.rankers.eval_cases import EvalCase
from tests.rankers.world import case, prompt


def four_cases() -> list[EvalCase]:
    cases = [case(d, f"u{taste}", "test", taste) for d in ("movies", "books") for taste in (0, 1)]
    return [EvalCase(c, prompt(c)) for c in cases]


def right(task: RankingTask, hit: bool = True) -> np.ndarray:
    return np.array([float(item == task.test.case.target) for item in task.candidates]) * hit


def test_a_ranking_lists_the_candidates_best_first_and_the_target_last_among_equals():
    task = own_tasks(four_cases())[0]  # the target stands third of five
    row = ranked(task, "s", np.array([1.0, 5.0, 1.0, np.nan, 1.0]))
    c = task.candidates
    assert row.items == (c[1], c[0], c[4], c[2], c[3])
    assert row.scores == (5.0, 1.0, 1.0, 1.0, -np.inf)
    assert row.grounding == ("candidate",) * 5
    assert (row.prompt_id, row.system, row.user) == (task.test.prompt.id, "s", "movies/u0")
    assert (row.rank, row.size) == (4, 5)


def test_models_rank_the_first_cases_of_each_domain_in_turn():
    cases = four_cases()
    assert model_cases(cases, 0) == cases
    assert model_cases(cases, 3) == [cases[0], cases[2], cases[3]]  # books come before movies
    assert model_cases(cases, 2) == [cases[0], cases[2]]
    assert model_cases(cases, 99) == cases


def test_of_the_whole_catalogue_only_the_first_are_written_but_the_rank_is_known():
    test = four_cases()[0]
    task = RankingTask(test, "full", 0, (*(f"x{n}" for n in range(100)), test.case.target))
    row = ranked(task, "s", np.arange(101)[::-1].astype(float))
    assert (len(row.items), row.rank, row.size, row.items[0]) == (KEPT, 101, 101, "x0")


def test_the_summary_has_every_figure_over_all_and_by_domain_and_group():
    cases = four_cases()
    rankings = [ranked(t, "dpo", right(t, t.test.case.domain == "movies")) for t in own_tasks(cases)]
    found = summarise(cases, rankings, EvaluateConfig(systems=["dpo"], bootstrap=200), {"some": cases[:1]})
    dpo = found.systems["dpo"]
    assert (found.candidates, found.chance, found.cases) == (5, pytest.approx(0.2), 4)
    assert (dpo.n, dpo.hit_at_1, dpo.mrr) == (4, 0.5, pytest.approx((1 + 1 + 0.2 + 0.2) / 4))
    assert (dpo.hit_at_5, dpo.ndcg_at_10) == (1.0, pytest.approx((2 + 2 / math.log2(6)) / 4))
    assert {d: row.hit_at_1 for d, row in dpo.domains.items()} == {"books": 0.0, "movies": 1.0}
    assert dpo.groups["some"].n == 1 and dpo.groups["some"].hit_at_1 == 1.0
    assert dpo.interval[0] < 0.5 < dpo.interval[1]
    for name in ("hit@5", "hit@10", "mrr", "ndcg@10"):
        low, high = dpo.by_json_name()[f"{name}_interval"]
        assert low <= dpo.by_json_name()[name] <= high


def test_draws_are_averaged_and_shown_one_by_one():
    cases = four_cases()
    rankings = [ranked(t, "dpo", right(t)) for t in own_tasks(cases)]
    for draw, hits in enumerate((4, 2, 0)):
        tasks = [RankingTask(test, "uniform", draw, test.case.candidates) for test in cases]
        rankings += [ranked(t, "dpo", right(t, place < hits)) for place, t in enumerate(tasks)]
    found = summarise(cases, rankings, EvaluateConfig(systems=["dpo"], bootstrap=200))
    drawn = found.protocols["uniform"].systems["dpo"]
    assert drawn.hit_at_1_by_draw == (1.0, 0.5, 0.0) and drawn.hit_at_1 == pytest.approx(0.5)
    assert drawn.draws == 3 and found.systems["dpo"].hit_at_1 == 1.0
    assert found.systems["dpo"].hit_at_1_by_draw is None


def test_systems_keep_their_order_and_are_paired_on_the_cases_that_both_ranked():
    cases = four_cases()
    tasks = own_tasks(cases)
    rankings = [ranked(t, "sft", right(t)) for t in tasks] + [
        ranked(t, "base", right(t, False)) for t in tasks
    ]
    rankings += [ranked(t, "popularity", right(t)) for t in tasks[:2]]
    found = summarise(cases, rankings, EvaluateConfig(systems=["sft"], bootstrap=100))
    assert list(found.systems) == ["sft", "base", "popularity"]
    pairs = {(pair.system, pair.against): (pair.n, pair.difference) for pair in found.pairs}
    assert pairs == {
        ("sft", "base"): (4, 1.0),
        ("sft", "popularity"): (2, 0.0),
        ("base", "popularity"): (2, -1.0),
    }
