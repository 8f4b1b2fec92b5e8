"""Reasons by the language model of the ranker that recommends, where it has one; by others for the rest."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass

from rectune.core.errors import UserError
from rectune.core.settings import RetrievalConfig, SamplingConfig
from rectune.core.types import content_id
from rectune.inference.generate import OnAnswer
from rectune.inference.requests import GenerationResult
from rectune.prompts.teacher_prompts import facts
from rectune.rankers.base import Ranker
from rectune.rankers.chosen import ChosenRanker
from rectune.rankers.reason_writer import ReasonRequest, ReasonWriter
from rectune.recommender.explanation_request import ExplanationRequest
from rectune.recommender.explanations import Explanation, OnReason, write_explanations
from rectune.recommender.reason_checks import KnownTitles

# What writes the reasons for requests, in order, and who hears of each.
Explain = Callable[[Sequence[ExplanationRequest], OnReason | None], list[Explanation]]


@dataclass(frozen=True)
class RankerReasons:
    """Reasons of rankers, checked like all others; greedy ones are asked for once.

    Attributes:
        writer_of: the ranker that recommends for a request, where it writes; None where it does not.
        known: the titles of the catalogue.
        config: attempts, and how tokens are drawn.
    """

    writer_of: Callable[[ExplanationRequest], ReasonWriter | None]
    known: KnownTitles
    config: RetrievalConfig

    def explained(
        self,
        wanted: Sequence[ExplanationRequest],
        attempts: int,
        others: Explain,
        on_reason: OnReason | None = None,
    ) -> list[Explanation]:
        """Reasons for each request, in order.

        Args:
            wanted: the requests.
            attempts: of a ranker, at most; with 0 plain sentences stand.
            others: writes where no ranker does.
            on_reason: hears of each by its place, as soon as it is sure.
        """
        own = [at for at, one in enumerate(wanted) if self.writer_of(one) is not None]
        rest = [at for at in range(len(wanted)) if at not in set(own)]
        tries = min(attempts, 1) if not self.config.sampling.temperature else attempts

        def by_ranker(some: Sequence[ExplanationRequest], tell: OnReason | None) -> list[Explanation]:
            return write_explanations(some, self.known, tries, self.write, on_reason=tell)

        found = dict[int, Explanation]()
        for places, explain in ((own, by_ranker), (rest, others)):
            if places:
                some = explain([wanted[at] for at in places], _renumbered(places, on_reason))
                found |= zip(places, some, strict=True)
        return [found[at] for at in range(len(wanted))]

    def write(self, wanted: Sequence[ExplanationRequest], attempt: int, on_answer: OnAnswer) -> None:
        """One attempt of the rankers, unchecked; of requests for which one writes."""
        for at, one in enumerate(wanted):
            writer = self.writer_of(one)
            assert writer is not None  # `explained` asks for no other
            on_answer(at, _answer(writer, one, self.config.sampling, attempt))


def ranker_can_write(ranker: Ranker | None) -> bool:
    """Whether a ranker, or one of those that a choice ranks by, has a language model that writes."""
    among = ranker.rankers.values() if isinstance(ranker, ChosenRanker) else (ranker,)
    return any(isinstance(one, ReasonWriter) and one.writes for one in among)


def _answer(
    writer: ReasonWriter, one: ExplanationRequest, sampling: SamplingConfig, attempt: int
) -> GenerationResult:
    told = facts(one.shown, one.locale)
    asked = ReasonRequest(one.history, one.item.item_id, one.query, told, one.opening, one.locale)
    seed = int(content_id("reasons of a ranker", asdict(asked), sampling.seed, attempt)[:8], 16)
    try:
        return writer.write_reason(asked, sampling, seed)
    except UserError as fault:  # the model has no room for this prompt
        return GenerationResult("", "", "error", 0, 0, str(fault))


def _renumbered(places: Sequence[int], on_reason: OnReason | None) -> OnReason | None:
    """Hears of reasons by their places among all."""
    return (lambda number, reason: on_reason(places[number], reason)) if on_reason else None
