"""A language model as ranker: how likely it is to recommend each candidate after reading the prompt.

The prompt is passive and direct: it shows the history and no candidates. So these rankers know no order of
candidates.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, Self

import numpy as np

from rectune.core.errors import UserError
from rectune.core.settings import EngineConfig
from rectune.core.text.plain import locale_of
from rectune.core.types import Locale
from rectune.prompts.answers import behind_closing
from rectune.prompts.render import ask
from rectune.prompts.template_library import system_message
from rectune.prompts.title_list import begun_list, list_messages, next_line
from rectune.rankers.base import CandidateScorer, Ranker, Scores, unknown_ids
from rectune.rankers.saved import SavedRanker, load_saved, save_ranker

if TYPE_CHECKING:
    from rectune.rankers.domain_data import DomainData

Messages = tuple[tuple[str, str], ...]

_SHOWN = 10  # titles of a history that the prompt shows: the latest


class Scorer(Protocol):
    """The interface of an engine here; `rectune.inference.llamacpp.LlamaEngine` implements it."""

    def loglikelihood(
        self, messages: Messages, continuations: Sequence[str], prefill: str = ""
    ) -> list[list[float]]:
        """The log-probability of every token of each continuation, after messages and prefill."""
        ...


@dataclass(frozen=True)
class RenderedPrompt:
    """The prompt of a history, and its locale.

    `begun` is what the answer has begun with, which a title goes on; if it is empty, the words that close an
    answer stand there.
    """

    messages: Messages
    locale: Locale
    begun: str = ""


# What is asked where nothing is known of the user; the system message says what kind of thing is wanted.
NEUTRAL: dict[Locale, str] = {"en": "Recommend one.", "ko": "하나만 추천해 주세요."}


@dataclass(frozen=True)
class Likelihood:
    """Log-probability of a title in the sentence that closes an answer.

    score(item) = 1/T * sum over the title's T tokens of log p(token | prompt, "My recommendation:" or
    whatever the answer has begun with, tokens before). Dividing by T keeps long titles from losing by their
    length (as `acc_norm` of lm-evaluation-harness does, there by bytes); where not `normalised`, the sum
    itself is the score. The words before the title are the same for every candidate; they are given, not
    scored.

    `asked` words the prompt for a history of item ids, `on_case` hears of every finished case.
    """

    name: str
    scorer: Scorer
    titles: Mapping[str, str]
    asked: Callable[[Sequence[str]], RenderedPrompt]
    on_case: Callable[[int], None] = lambda done: None
    normalised: bool = True

    def score(self, histories: Sequence[Sequence[str]], candidates: Sequence[Sequence[str]]) -> list[Scores]:
        """See `CandidateScorer.score`."""
        return [self._scores(h, c) for h, c in zip(histories, candidates, strict=True)]

    def _scores(self, history: Sequence[str], candidates: Sequence[str]) -> Scores:
        asked = self.asked(history)
        given, named = _begun(asked, [self.titles[item] for item in candidates])
        tokens = self.scorer.loglikelihood(asked.messages, named, prefill=given)
        self.on_case(1)
        total = np.mean if self.normalised else np.sum
        return np.array([total(logs) if logs else -np.inf for logs in tokens], np.float64)


def _begun(asked: RenderedPrompt, titles: Sequence[str]) -> tuple[str, list[str]]:
    """What the answer has begun with, and each title as it follows."""
    if asked.begun:
        return asked.begun, [next_line(title) for title in titles]
    return behind_closing(asked.locale, titles)


@dataclass(frozen=True)
class WithoutPrior:
    """A likelihood minus a share of the title's likelihood without any history.

    score(item) = likelihood(item | history) - weight * likelihood(item | nothing known). With weight 1 this
    is the pointwise mutual information of history and title (Holtzman et al. 2021, "Surface Form
    Competition", there for answers); the idea of calibrating by a prompt without content is that of Zhao et
    al. 2021, "Calibrate Before Use".

    Args:
        likelihood: scores with the history.
        prior: scores without it; the same for every history.
        weight: 0 leaves the likelihood as it is.
    """

    name: str
    likelihood: CandidateScorer
    prior: CandidateScorer
    weight: float = 1.0

    def score(self, histories: Sequence[Sequence[str]], candidates: Sequence[Sequence[str]]) -> list[Scores]:
        """See `CandidateScorer.score`."""
        own = self.likelihood.score(histories, candidates)
        prior = self.prior.score(histories, candidates)
        return [score - self.weight * base for score, base in zip(own, prior, strict=True)]


def without_history(
    asked: Callable[[Sequence[str]], RenderedPrompt],
) -> Callable[[Sequence[str]], RenderedPrompt]:
    """The same system message and language, and a request that says nothing of the user; of a list the same
    list without a line.
    """

    def neutral(history: Sequence[str]) -> RenderedPrompt:
        known = asked(history)
        if known.begun:
            return replace(known, begun=begun_list(()))
        system = tuple(message for message in known.messages if message[0] == "system")
        return RenderedPrompt((*system, ("user", NEUTRAL[known.locale])), known.locale)

    return neutral


def history_prompts(
    domain: str, titles: Mapping[str, str], locale: Locale | None = None
) -> Callable[[Sequence[str]], RenderedPrompt]:
    """The prompts of histories of item ids, as the recommender words them: the latest titles, oldest first.

    Args:
        domain: of the items.
        titles: by item id; others are left out.
        locale: of the prompts; None: that of the titles shown.
    """

    def asked(history: Sequence[str]) -> RenderedPrompt:
        shown = [titles[item] for item in history if item in titles][-_SHOWN:]
        spoken = locale or locale_of(" ".join(shown))
        if not shown:
            system = system_message(spoken, domain)
            return RenderedPrompt((("system", system), ("user", NEUTRAL[spoken])), spoken)
        system, instruction = ask(domain, spoken, shown, "", ordered=True)
        return RenderedPrompt((("system", system), ("user", instruction)), spoken)

    return asked


def list_prompts(
    domain: str, titles: Mapping[str, str], locale: Locale | None = None
) -> Callable[[Sequence[str]], RenderedPrompt]:
    """A history of item ids as a list that the answer has begun, oldest first: a candidate is its next line.

    An empty history is a list without a line, the prior of all others.

    Args:
        domain: of the items.
        titles: by item id; others are left out.
        locale: of the prompts; None: that of the titles shown.
    """

    def asked(history: Sequence[str]) -> RenderedPrompt:
        lines = [titles[item] for item in history if item in titles][-_SHOWN:]
        spoken = locale or locale_of(" ".join(lines))
        system, instruction = list_messages(domain, spoken)
        return RenderedPrompt((("system", system), ("user", instruction)), spoken, begun_list(lines))

    return asked


class LikelihoodRanker(Ranker):
    """`Likelihood` under a GGUF model, for histories of titles of one catalogue.

    `top` scores every title of the catalogue, so restrict it by `within` if there are many.

    Args:
        model: a GGUF file, or a name for `rectune.models.reference.gguf_file`, as `embedded`.
        locale: the language of the prompt, en or ko.
        opener: opens the engine, in place of llama.cpp with that model.
    """

    name = "likelihood"
    learns_from_likes = False

    def __init__(
        self,
        model: str | Path = "embedded",
        locale: Locale = "en",
        opener: Callable[[], AbstractContextManager[Scorer]] | None = None,
    ) -> None:
        self._model, self._locale = str(model), locale
        self._opener = opener or self._engine
        self._domain = ""
        self._titles: dict[str, str] = {}

    def fit(self, data: DomainData) -> Self:
        """Takes the titles; nothing is trained."""
        return self._set(data.domain, data.titles)

    def _set(self, domain: str, titles: Mapping[str, str]) -> Self:
        self._domain, self._titles, self.item_ids = domain, dict(titles), tuple(titles)
        return self

    def score(self, histories: Sequence[Sequence[str]], candidates: Sequence[Sequence[str]]) -> list[Scores]:
        """See `CandidateScorer.score`; in nats per token.

        Raises:
            UserError: a candidate is unknown, and has no title to be scored.
        """
        if unknown := unknown_ids(self._titles, (item for case in candidates for item in case)):
            raise UserError(f"{len(unknown)} candidates are not in the catalogue, as {unknown[0]!r}")
        with self._opener() as engine:
            asked = history_prompts(self._domain, self._titles, self._locale)
            return Likelihood(self.name, engine, self._titles, asked).score(histories, candidates)

    def _engine(self) -> AbstractContextManager[Scorer]:
        from rectune.inference.engine_cache import cached_engine
        from rectune.models.reference import gguf_file

        return cached_engine(gguf_file(self._model), EngineConfig())

    def save(self, folder: Path) -> None:
        """See `Ranker.save`; the model is saved by its name."""
        items = {"item_id": list(self._titles), "title": list(self._titles.values())}
        parameters = {"model": self._model, "locale": self._locale, "domain": self._domain}
        save_ranker(folder, SavedRanker(self.name, items, parameters))

    @classmethod
    def load(cls, folder: Path) -> Self:
        """See `Ranker.load`."""
        saved = load_saved(folder, cls.name)
        ranker = cls(saved.parameters["model"], saved.parameters["locale"])
        titles = dict(zip(saved.items["item_id"], saved.items["title"], strict=True))
        return ranker._set(str(saved.parameters["domain"]), titles)
