import numpy as np
import pytest

from evaluation.protocol import ranked, summarise
from recommenders.cases import TestCase
from rectune.settings import Evaluate
from tests.recommenders.world import case, prompt


def four_cases() -> list[TestCase]:
    cases = [case(d, f"u{taste}", "test", taste) for d in ("movies", "books") for taste in (0, 1)]
    return [TestCase(c, prompt(c)) for c in cases]


def test_a_ranking_lists_the_candidates_best_first_and_the_target_last_among_equals():
    test = four_cases()[0]  # the target stands third of five
    row = ranked(test, "s", np.array([1.0, 5.0, 1.0, np.nan, 1.0]))
    c = test.case.candidates
    assert row.items == (c[1], c[0], c[4], c[2], c[3])
    assert row.scores == (5.0, 1.0, 1.0, 1.0, -np.inf)
    assert row.grounding == ("candidate",) * 5
    assert (row.prompt_id, row.system) == (test.prompt.id, "s")


def test_the_summary_has_every_figure_over_all_and_by_domain():
    cases = four_cases()
    right = {c.prompt.id: c.case.domain == "movies" for c in cases}
    rankings = [
        ranked(
            c,
            system,
            np.array([float(item == c.case.target) for item in c.case.candidates]) * right[c.prompt.id],
        )
        for c in cases
        for system in ("dpo",)
    ]
    found = summarise(cases, rankings, Evaluate(systems=["dpo"], bootstrap=200))
    dpo = found["systems"]["dpo"]
    assert (found["candidates"], found["chance"], found["cases"]) == (5, pytest.approx(0.2), 4)
    assert (dpo["n"], dpo["hit@1"], dpo["mrr"]) == (4, 0.5, pytest.approx((1 + 1 + 0.2 + 0.2) / 4))
    assert {d: row["hit@1"] for d, row in dpo["domains"].items()} == {"books": 0.0, "movies": 1.0}
    assert dpo["interval"][0] < 0.5 < dpo["interval"][1]
    assert dpo["mrr_interval"][0] <= dpo["mrr"] <= dpo["mrr_interval"][1]
