"""Judging how well an item suits a person: by a language model, or by comparing claims and catalogue."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from rectune.core.types import Item, Locale, content_id
from rectune.dialogue.knowledge import Claim
from rectune.dialogue.matching import avoided_in, liked_in
from rectune.prompts.rerank_prompts import (
    Messages,
    RerankPrompt,
    answer_words,
    claim_words,
    fit_messages,
    score_messages,
)
from rectune.rankers.likelihood import Scorer

JudgeMode = Literal["model", "claims"]

LOWEST, HIGHEST = 1, 10  # scores
LABELS = tuple(str(score) for score in range(LOWEST, HIGHEST + 1))
_SHOWN = 8  # claims that a prompt shows
_AVOIDED = 4  # of them at least this many of what is avoided, where there are as many


class ItemJudge(Protocol):
    """Judges items for a person."""

    @property
    def mode(self) -> JudgeMode:
        """Who judges."""
        ...

    def scores(self, claims: Sequence[Claim], items: Sequence[Item]) -> list[float]:
        """How well each item suits the person of whom this is claimed, from 1 to 10."""
        ...

    def fits(self, claims: Sequence[Claim], items: Sequence[Item]) -> list[float] | None:
        """For each item how much the claims raise the probability that it suits; None where nobody asks."""
        ...


@dataclass(frozen=True)
class ClaimJudge:
    """Judges by the catalogue alone.

    The score is 1 for an item with anything that is avoided, else 1 + 9 * the share of the liked claims that
    the item satisfies.
    """

    mode: JudgeMode = field(default="claims", init=False)

    def scores(self, claims: Sequence[Claim], items: Sequence[Item]) -> list[float]:
        """See `ItemJudge.scores`."""
        likes = [claim for claim in claims if claim.counts and claim.stance == "likes"]
        return [self._score(likes, claims, item) for item in items]

    def _score(self, likes: Sequence[Claim], claims: Sequence[Claim], item: Item) -> float:
        if not likes or avoided_in(item, claims):
            return float(LOWEST)
        return LOWEST + (HIGHEST - LOWEST) * len(liked_in(item, likes)) / len(likes)

    def fits(self, claims: Sequence[Claim], items: Sequence[Item]) -> list[float] | None:
        """Nobody is asked: what the claims say of each item is in its score."""
        return None


@dataclass(frozen=True)
class ModelJudge:
    """Judges by a language model, one prompt an item.

    The score is the expected value over the likelihoods of the labels 1 to 10 (Zhuang et al. 2023, "Beyond
    Yes and No", arXiv 2310.14122; Liu et al. 2023, "G-Eval", arXiv 2303.16634), not the number that the model
    would write.

    Attributes:
        engine: scores continuations.
        prompt: which prompt asks for the score.
        locale: of the prompts.
        verifies: whether it is also asked if an item suits, yes or no.
        profile: age, occupation and the like in words, shown before the claims; empty unless the person and
            the service want it in prompts.
        neutral: the probability of a yes where nothing is known of the person, by the hash of the prompt: it
            is the same for all persons.
    """

    engine: Scorer
    prompt: RerankPrompt = "detailed"
    locale: Locale = "en"
    verifies: bool = True
    profile: tuple[str, ...] = ()
    neutral: dict[str, float] = field(default_factory=dict, repr=False)
    mode: JudgeMode = field(default="model", init=False)

    def with_engine(self, engine: Scorer) -> ModelJudge:
        """The same by another engine with the same model; both share what they find."""
        return replace(self, engine=engine)

    def scores(self, claims: Sequence[Claim], items: Sequence[Item]) -> list[float]:
        """See `ItemJudge.scores`.

        Raises:
            UserError: a prompt does not fit the engine's context.
        """
        told = self._told(claims)
        asked = (score_messages(self.prompt, told, item, self.locale) for item in items)
        return [expected_score(self.engine.loglikelihood(messages, LABELS)) for messages in asked]

    def fits(self, claims: Sequence[Claim], items: Sequence[Item]) -> list[float] | None:
        """The probability of a yes, less that of the same prompt without the claims; -1 to 1.

        Raises:
            UserError: a prompt does not fit the engine's context.
        """
        if not self.verifies:
            return None
        told = self._told(claims)
        own = [self._yes(fit_messages(told, item, self.locale)) for item in items]
        return [yes - self._neutral(item) for yes, item in zip(own, items, strict=True)]

    def _told(self, claims: Sequence[Claim]) -> list[str]:
        return [*self.profile, *prompt_claims(claims, self.locale)]

    def _neutral(self, item: Item) -> float:
        messages = fit_messages((), item, self.locale)
        key = content_id(*messages)
        if key not in self.neutral:
            self.neutral[key] = self._yes(messages)
        return self.neutral[key]

    def _yes(self, messages: Messages) -> float:
        likelihoods = self.engine.loglikelihood(messages, answer_words(self.locale))
        return float(label_probabilities(likelihoods)[0])


def expected_score(logs: Sequence[Sequence[float]]) -> float:
    """The expected value of the labels 1 to 10.

    Args:
        logs: of each label the log-probabilities of its tokens, in nats.
    """
    return float(label_probabilities(logs) @ np.arange(LOWEST, HIGHEST + 1))


def label_probabilities(logs: Sequence[Sequence[float]]) -> NDArray[np.float64]:
    """The probabilities of labels, which sum to 1.

    A label whose tokens begin another one ("1" in "10") loses what goes on to that one.

    Args:
        logs: of each label the log-probabilities of its tokens, in nats.
    """
    totals = np.array([sum(tokens) for tokens in logs])
    masses = np.exp(totals - totals.max())
    own = masses.copy()
    for at, tokens in enumerate(logs):
        longer = [mass for mass, other in zip(masses, logs, strict=True) if _begins(tokens, other)]
        own[at] = max(0.0, own[at] - sum(longer))
    found: NDArray[np.float64] = own / own.sum()
    return found


def _begins(tokens: Sequence[float], other: Sequence[float]) -> bool:
    """Whether these are the first tokens of another label: their log-probabilities are the same ones."""
    return len(tokens) < len(other) and list(tokens) == list(other[: len(tokens)])


def prompt_claims(claims: Sequence[Claim], locale: Locale) -> list[str]:
    """The claims that a prompt shows, in their order and in words: at most eight, up to half on what is
    avoided.
    """
    every = [claim for claim in claims if claim.counts]
    avoided = [claim for claim in every if claim.stance == "avoids"][:_AVOIDED]
    liked = [claim for claim in every if claim not in avoided][: _SHOWN - len(avoided)]
    shown = [claim for claim in every if claim in avoided or claim in liked]
    return [claim_text(claim, locale) for claim in shown]


def claim_text(claim: Claim, locale: Locale) -> str:
    """A claim in words, also where nobody has worded it."""
    return claim.text or claim_words(claim.stance, claim.value, locale)
