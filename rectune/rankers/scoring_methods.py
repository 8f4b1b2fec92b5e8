"""The scoring methods of one language model, and the weights that most of them need."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal

from rectune.rankers.base import CandidateScorer, Scores
from rectune.rankers.eval_cases import EvalCase, by_domain
from rectune.rankers.fusion import Fused, best_weight, fused
from rectune.rankers.likelihood import Likelihood, RenderedPrompt, Scorer, WithoutPrior, without_history

Way = Literal[
    "likelihood", "total", "prior", "fused", "lexical", "hybrid", "continuation", "continuation_hybrid"
]
# The way -> the ranker that the model is fused with.
BESIDE = {"fused": "embedding_best", "lexical": "bm25", "hybrid": "hybrid"}
CONTINUED = ("continuation", "continuation_hybrid")  # the ways in which it goes on with a list of titles
DEFAULT = 0.5  # either weight where there is nothing to choose it on


@dataclass(frozen=True)
class FusionWeights:
    """The weights of the scoring methods, and the number of cases they were chosen on.

    `prior` is how much of the prior is subtracted; `fused`, `lexical` and `hybrid` are the model's weight
    beside the embedding, BM25, and both of them. `continuation` is how much of the prior of a list is
    subtracted, `continuation_hybrid` then the model's weight beside `hybrid`.
    """

    prior: float = DEFAULT
    fused: float = DEFAULT
    lexical: float = DEFAULT
    hybrid: float = DEFAULT
    continuation: float = DEFAULT
    continuation_hybrid: float = DEFAULT
    cases: int = 0


@dataclass(frozen=True)
class ScoringInputs:
    """The parts of one model's scoring methods in one domain; `beside`: a model-free ranker by name."""

    likelihood: Likelihood
    total: Likelihood
    prior: Likelihood
    continuation: Likelihood
    empty_list: Likelihood
    beside: Callable[[str], CandidateScorer]

    def ranker(self, method: str, name: str, weights: FusionWeights) -> CandidateScorer:
        """The ranker of one scoring method.

        Raises:
            KeyError: there is no such method.
        """
        if method in ("likelihood", "total"):
            return {"likelihood": self.likelihood, "total": self.total}[method]
        if method in CONTINUED:
            listed = WithoutPrior(name, self.continuation, self.empty_list, weights.continuation)
            if method == "continuation":
                return listed
            return Fused(name, listed, self.beside("hybrid"), weights.continuation_hybrid)
        corrected = WithoutPrior(name, self.likelihood, self.prior, weights.prior)
        if method == "prior":
            return corrected
        shares = {"fused": weights.fused, "lexical": weights.lexical, "hybrid": weights.hybrid}
        return Fused(name, corrected, self.beside(BESIDE[method]), shares[method])


def scoring_inputs_of(
    scorer: Scorer,
    titles: Mapping[str, str],
    asked: Callable[[Sequence[str]], RenderedPrompt],
    listed: Callable[[Sequence[str]], RenderedPrompt],
    beside: Callable[[str], CandidateScorer],
) -> ScoringInputs:
    """The parts for one domain; `asked` gives the prompts of its histories, `listed` these as lists."""
    return ScoringInputs(
        Likelihood("likelihood", scorer, titles, asked),
        Likelihood("total", scorer, titles, asked, normalised=False),
        Likelihood("prior", scorer, titles, without_history(asked)),
        Likelihood("continuation", scorer, titles, listed),
        Likelihood("empty_list", scorer, titles, without_history(listed)),
        beside,
    )


def choose_weights(
    cases: Sequence[EvalCase], parts: Callable[[str], ScoringInputs], *, continued: bool = False
) -> FusionWeights:
    """The weights under which the targets of these cases rank highest (mean reciprocal rank).

    First that of the prior, then, with it, those of the fusions.

    Args:
        cases: of users who are in no test.
        parts: of a domain.
        continued: whether those of the lists are chosen too; each case then costs twice the time.
    """
    groups = by_domain(cases)
    targets = [test.case.candidates.index(test.case.target) for group in groups.values() for test in group]

    def scored(ranker: Callable[[ScoringInputs], CandidateScorer]) -> list[Scores]:
        found: list[Scores] = []
        for domain, group in groups.items():
            histories, shown = [t.case.history for t in group], [t.case.candidates for t in group]
            found += ranker(parts(domain)).score(histories, shown)
        return found

    def beside(name: str) -> list[Scores]:
        return scored(lambda one: one.beside(name))

    others = {method: beside(name) for method, name in BESIDE.items()}
    prior, shares = _best(scored(lambda own: own.likelihood), scored(lambda own: own.prior), others, targets)
    if continued:
        own, base = scored(lambda own: own.continuation), scored(lambda own: own.empty_list)
        less, shares_of_list = _best(own, base, {"hybrid": others["hybrid"]}, targets)
        listed = {"continuation": less, "continuation_hybrid": shares_of_list["hybrid"]}
    else:
        listed = {}
    return FusionWeights(prior, **shares, **listed, cases=len(targets))


def _best(
    likelihoods: Sequence[Scores],
    priors: Sequence[Scores],
    others: Mapping[str, Sequence[Scores]],
    targets: Sequence[int],
) -> tuple[float, dict[str, float]]:
    """The weight of the prior, and then those beside other rankers."""

    def corrected(weight: float) -> list[Scores]:
        return [one - weight * prior for one, prior in zip(likelihoods, priors, strict=True)]

    prior = best_weight(corrected, targets, DEFAULT)

    def both(weight: float, other: Sequence[Scores]) -> list[Scores]:
        return [fused(one, two, weight) for one, two in zip(corrected(prior), other, strict=True)]

    return prior, {
        name: best_weight(partial(both, other=other), targets, DEFAULT) for name, other in others.items()
    }
