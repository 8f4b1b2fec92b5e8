"""A language model as ranker: how likely it is to recommend each candidate after reading the prompt.

The prompt is passive and direct: it shows the history and no candidates. So these rankers know no order of candidates.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from rectune.core.types import Locale
from rectune.prompts.answers import behind_closing
from rectune.rankers.base import Ranker, Scores

Messages = tuple[tuple[str, str], ...]


class Scorer(Protocol):
    """What is asked of an engine here; `rectune.inference.llamacpp.LlamaEngine` is one."""

    def loglikelihood(
        self, messages: Messages, continuations: Sequence[str], prefill: str = ""
    ) -> list[list[float]]:
        """The log-probability of every token of each continuation, after messages and prefill."""
        ...


@dataclass(frozen=True)
class RenderedPrompt:
    """The prompt that goes with a history, and the language it is written in."""

    messages: Messages
    locale: Locale


# What is asked where nothing is known of the user; the system message says what kind of thing is wanted.
NEUTRAL: dict[Locale, str] = {"en": "Recommend one.", "ko": "하나만 추천해 주세요."}


@dataclass(frozen=True)
class Likelihood:
    """Log-probability of a title in the sentence that closes an answer.

    score(item) = 1/T * sum over the title's T tokens of log p(token | prompt, "My recommendation:", tokens
    before). Dividing by T keeps long titles from losing by their length (as `acc_norm` of
    lm-evaluation-harness does, there by bytes); where not `normalised`, the sum itself is the score. The closing words are
    the same for every candidate; they are given, not scored.

    `asked` words the prompt for a history of item ids, `on_case` hears of every finished case.
    """

    name: str
    scorer: Scorer
    titles: Mapping[str, str]
    asked: Callable[[Sequence[str]], RenderedPrompt]
    on_case: Callable[[int], None] = lambda done: None
    normalised: bool = True

    def score(self, histories: Sequence[Sequence[str]], candidates: Sequence[Sequence[str]]) -> list[Scores]:
        """See `Ranker.score`."""
        return [self._scores(h, c) for h, c in zip(histories, candidates, strict=True)]

    def _scores(self, history: Sequence[str], candidates: Sequence[str]) -> Scores:
        asked = self.asked(history)
        given, named = behind_closing(asked.locale, [self.titles[item] for item in candidates])
        tokens = self.scorer.loglikelihood(asked.messages, named, prefill=given)
        self.on_case(1)
        total = np.mean if self.normalised else np.sum
        return np.array([total(logs) if logs else -np.inf for logs in tokens], np.float64)


@dataclass(frozen=True)
class WithoutPrior:
    """A likelihood with some of what the title has without any history taken off.

    score(item) = likelihood(item | history) - weight * likelihood(item | nothing known). With weight 1 this is the pointwise
    mutual information of history and title (Holtzman et al. 2021, "Surface Form Competition", there for answers); the idea
    of calibrating by a prompt without content is that of Zhao et al. 2021, "Calibrate Before Use".

    Args:
        likelihood: asks with the history.
        prior: asks without it; the same scores for every history.
        weight: 0 leaves the likelihood as it is.
    """

    name: str
    likelihood: Ranker
    prior: Ranker
    weight: float = 1.0

    def score(self, histories: Sequence[Sequence[str]], candidates: Sequence[Sequence[str]]) -> list[Scores]:
        """See `Ranker.score`."""
        own = self.likelihood.score(histories, candidates)
        prior = self.prior.score(histories, candidates)
        return [score - self.weight * base for score, base in zip(own, prior, strict=True)]


def without_history(asked: Callable[[Sequence[str]], RenderedPrompt]) -> Callable[[Sequence[str]], RenderedPrompt]:
    """The same system message and language, and a request that says nothing of the user."""

    def neutral(history: Sequence[str]) -> RenderedPrompt:
        known = asked(history)
        system = tuple(message for message in known.messages if message[0] == "system")
        return RenderedPrompt((*system, ("user", NEUTRAL[known.locale])), known.locale)

    return neutral
