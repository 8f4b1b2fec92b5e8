"""Scoring methods of one model: sums, means, prior, fusion, and the choice of weights."""

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from rectune.rankers.base import fit_ranker
from rectune.rankers.domain_data import DomainData
from rectune.rankers.eval_cases import EvalCase
from rectune.rankers.fusion import Fused, best_weight, fused, mean_reciprocal
from rectune.rankers.likelihood import NEUTRAL, RenderedPrompt, list_prompts
from rectune.rankers.scoring_methods import (
    CONTINUED,
    DEFAULT,
    FusionWeights,
    ScoringInputs,
    choose_weights,
    scoring_inputs_of,
)
from rectune.rankers.weighting import standardised
from tests.rankers.world import case, items, prompt

ASKED = RenderedPrompt((("system", "films"), ("user", "history")), "en")


class Scorer:
    """A model that likes long titles, and, with a history, the word Moon as well; a token a word."""

    def loglikelihood(self, messages, continuations: Sequence[str], prefill: str = "") -> list[list[float]]:
        knows = (
            prefill.count("\n") > 0 if "one a line" in messages[-1][1] else messages[-1][1] != NEUTRAL["en"]
        )
        return [
            [-1.0 + 0.1 * len(text) + (0.5 if knows and "Moon" in text else 0.0)] * len(text.split())
            for text in continuations
        ]


def parts() -> ScoringInputs:
    domain_data = DomainData("movies", items())
    return scoring_inputs_of(
        Scorer(),
        domain_data.titles,
        lambda history: ASKED,
        list_prompts("movies", domain_data.titles, "en"),
        lambda name: fit_ranker(name, domain_data),
    )


def scores(method: str, weights: FusionWeights = FusionWeights(1.0, 1.0)) -> list[float]:  # noqa: B008
    return parts().ranker(method, method, weights).score([("m0",)], [("m1", "m2", "m6")])[0].tolist()


def test_total_is_the_likelihood_times_the_number_of_tokens():
    lengths = [2, 2, 3]  # Moon Landing, Galaxy War, The French Chef
    np.testing.assert_allclose(scores("total"), np.multiply(scores("likelihood"), lengths))


def test_taking_the_prior_off_leaves_what_the_history_says():
    np.testing.assert_allclose(scores("prior"), [0.5, 0, 0], atol=1e-12)
    np.testing.assert_allclose(scores("prior", FusionWeights(0.0, 1.0)), scores("likelihood"))


def test_a_continued_list_less_the_empty_one_leaves_what_the_history_says():
    weights = FusionWeights(continuation=1.0, continuation_hybrid=1.0)
    np.testing.assert_allclose(scores("continuation", weights), [0.5, 0, 0], atol=1e-12)
    assert int(np.argmax(scores("continuation_hybrid", weights))) == 0
    tests = [EvalCase(c, prompt(c)) for c in (case("movies", f"u{n}", "preference", 1) for n in range(3))]
    chosen = choose_weights(tests, lambda domain: parts(), continued=True)
    assert chosen.continuation_hybrid < DEFAULT  # the users like cooking, of which the model knows nothing
    assert choose_weights(tests, lambda domain: parts()).continuation_hybrid == DEFAULT


def test_fusion_is_the_weighted_sum_of_standardised_scores():
    one, other = np.array([1.0, 2.0, 6.0]), np.array([5.0, 5.0, 5.0])
    np.testing.assert_allclose(fused(one, other, 0.3), 0.3 * (one - 3) / np.std(one))
    ends = [
        Fused("f", parts().likelihood, parts().beside("embedding_best"), weight).score(
            [("m0",)], [("m1", "m2", "m6")]
        )[0]
        for weight in (1, 0)
    ]
    assert [int(row.argmax()) for row in ends] == [
        0,
        int(np.argmax(parts().beside("embedding_best").score([("m0",)], [("m1", "m2", "m6")])[0])),
    ]


@given(arrays(float, st.integers(1, 20), elements=st.floats(-1e6, 1e6)))
def test_standardised_scores_keep_the_order_and_are_finite(values):
    found = standardised(values)
    assert np.isfinite(found).all()
    order = np.argsort(values, kind="stable")
    assert (np.diff(found[order]) >= 0).all()


def test_what_is_no_number_counts_as_the_lowest():
    found = standardised(np.array([-np.inf, 1.0, 3.0, np.nan]))
    assert found[0] == found[1] == found[3] < found[2]
    assert standardised(np.array([-np.inf, np.nan])).tolist() == [0, 0]


def test_the_best_weight_is_found_and_ties_go_to_the_one_nearest_to_the_default():
    def ranked(weight: float) -> list[np.ndarray]:
        return [np.array([weight - 0.75, 0.0])]  # the target, in the first place, wins above 0.75

    assert best_weight(ranked, [0], 0.5) == 0.8
    assert best_weight(lambda weight: [np.array([1.0, 0.0])], [0], 0.5) == 0.5
    assert best_weight(ranked, [], 0.3) == 0.3
    assert mean_reciprocal([np.array([1.0, 1.0])], [0]) == 0.5  # a tie is lost


def test_weights_are_chosen_for_the_part_that_knows():
    tests = [EvalCase(c, prompt(c)) for c in (case("movies", f"u{n}", "preference", 1) for n in range(3))]
    chosen = choose_weights(tests, lambda domain: parts())
    # The users like cooking, of which the model knows nothing and the embedding much.
    assert chosen.cases == 3 and chosen.fused < DEFAULT
    known = tests[0].case
    for method in ("fused", "lexical", "hybrid"):  # the words say cooking too
        (found,) = parts().ranker(method, method, chosen).score([known.history], [known.candidates])
        assert found.argmax() == known.candidates.index(known.target)
    assert choose_weights([], lambda domain: parts()) == FusionWeights()


@pytest.mark.parametrize("method", ["likelihood", "total", "prior", "fused", "lexical", "hybrid", *CONTINUED])
def test_a_methods_ranker_has_scores_for_every_candidate(method: str):
    assert len(scores(method)) == 3
