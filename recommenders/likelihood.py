"""A language model as ranker: how likely it is to recommend each candidate after reading the prompt."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from prompts.answers import closing
from recommenders.base import Scores
from rectune.types import Locale

Messages = tuple[tuple[str, str], ...]


class Scorer(Protocol):
    """What is asked of an engine here; `inference.llamacpp.LlamaEngine` is one."""

    def loglikelihood(
        self, messages: Messages, continuations: Sequence[str], prefill: str = ""
    ) -> list[list[float]]:
        """The log-probability of every token of each continuation, after messages and prefill."""
        ...


@dataclass(frozen=True)
class Asked:
    """The prompt that goes with a history, and the language it is written in."""

    messages: Messages
    locale: Locale


@dataclass(frozen=True)
class Likelihood:
    """Mean log-probability of a title's tokens in the sentence that closes an answer.

    score(item) = 1/T * sum over the title's T tokens of log p(token | prompt, "My recommendation:", tokens
    before). Dividing by T keeps long titles from losing by their length (as `acc_norm` of
    lm-evaluation-harness does, there by bytes). The closing words are the same for every candidate; they are
    given, not scored.

    `asked` words the prompt for a history of item ids, `on_case` hears of every finished case.
    """

    name: str
    scorer: Scorer
    titles: Mapping[str, str]
    asked: Callable[[Sequence[str]], Asked]
    on_case: Callable[[int], None] = lambda done: None

    def rank(self, histories: Sequence[Sequence[str]], candidates: Sequence[Sequence[str]]) -> list[Scores]:
        """See `Ranker.rank`."""
        return [self._scores(h, c) for h, c in zip(histories, candidates, strict=True)]

    def _scores(self, history: Sequence[str], candidates: Sequence[str]) -> Scores:
        asked = self.asked(history)
        given = closing(asked.locale, "").rstrip()
        named = [closing(asked.locale, self.titles[item])[len(given) :] for item in candidates]
        tokens = self.scorer.loglikelihood(asked.messages, named, prefill=given)
        self.on_case(1)
        return np.array([np.mean(logs) if logs else -np.inf for logs in tokens], np.float64)
