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

Way = Literal["likelihood", "total", "prior", "fused", "lexical", "hybrid"]
# The way -> the ranker that the model is fused with.
BESIDE = {"fused": "embedding_best", "lexical": "bm25", "hybrid": "hybrid"}
DEFAULT = 0.5  # either weight where there is nothing to choose it on


@dataclass(frozen=True)
class FusionWeights:
    """The weights of the scoring methods, and the number of cases they were chosen on.

    `prior` is how much of the prior is subtracted; `fused`, `lexical` and `hybrid` are the model's weight
    beside the embedding, BM25, and both of them.
    """

    prior: float = DEFAULT
    fused: float = DEFAULT
    lexical: float = DEFAULT
    hybrid: float = DEFAULT
    cases: int = 0


@dataclass(frozen=True)
class ScoringInputs:
    """The parts of one model's scoring methods in one domain; `beside`: a model-free ranker by name."""

    likelihood: Likelihood
    total: Likelihood
    prior: Likelihood
    beside: Callable[[str], CandidateScorer]

    def ranker(self, method: str, name: str, weights: FusionWeights) -> CandidateScorer:
        """The ranker of one scoring method.

        Raises:
            KeyError: there is no such method.
        """
        if method in ("likelihood", "total"):
            return {"likelihood": self.likelihood, "total": self.total}[method]
        corrected = WithoutPrior(name, self.likelihood, self.prior, weights.prior)
        if method == "prior":
            return corrected
        shares = {"fused": weights.fused, "lexical": weights.lexical, "hybrid": weights.hybrid}
        return Fused(name, corrected, self.beside(BESIDE[method]), shares[method])


def scoring_inputs_of(
    scorer: Scorer,
    titles: Mapping[str, str],
    asked: Callable[[Sequence[str]], RenderedPrompt],
    beside: Callable[[str], CandidateScorer],
) -> ScoringInputs:
    """The parts for one domain; `asked` gives the prompts of its histories."""
    return ScoringInputs(
        Likelihood("likelihood", scorer, titles, asked),
        Likelihood("total", scorer, titles, asked, normalised=False),
        Likelihood("prior", scorer, titles, without_history(asked)),
        beside,
    )


def choose_weights(cases: Sequence[EvalCase], parts: Callable[[str], ScoringInputs]) -> FusionWeights:
    """The weights under which the targets of these cases rank highest (mean reciprocal rank).

    First that of the prior, then, with it, those of the fusions.

    Args:
        cases: of users who are in no test.
        parts: of a domain.
    """
    likelihoods: list[Scores] = []
    priors: list[Scores] = []
    others: dict[str, list[Scores]] = {method: [] for method in BESIDE}
    targets: list[int] = []
    for domain, group in by_domain(cases).items():
        asked = ([test.case.history for test in group], [test.case.candidates for test in group])
        own = parts(domain)
        likelihoods += own.likelihood.score(*asked)
        priors += own.prior.score(*asked)
        for method, scores in others.items():
            scores += own.beside(BESIDE[method]).score(*asked)
        targets += [test.case.candidates.index(test.case.target) for test in group]

    def corrected(weight: float) -> list[Scores]:
        return [one - weight * prior for one, prior in zip(likelihoods, priors, strict=True)]

    prior = best_weight(corrected, targets, DEFAULT)

    def both(weight: float, other: Sequence[Scores]) -> list[Scores]:
        return [fused(one, two, weight) for one, two in zip(corrected(prior), other, strict=True)]

    chosen = {
        method: best_weight(partial(both, other=other), targets, DEFAULT) for method, other in others.items()
    }
    return FusionWeights(prior, **chosen, cases=len(targets))
