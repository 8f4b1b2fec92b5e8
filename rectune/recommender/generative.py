"""The generative recommender: the tuned model's draft, grounding in real items, and explanations."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from rectune.core.settings import RetrievalConfig
from rectune.core.types import content_id
from rectune.inference.generate import generate
from rectune.inference.requests import GenerationRequest, GenerationResult
from rectune.recommender.constrained_titles import TitleRequest, name_titles
from rectune.recommender.explanations import By, ExplanationRequest, write_explanations
from rectune.recommender.requests import RecommendationRequest
from rectune.retrieval.chunks import head_of
from rectune.retrieval.grounding import GroundedItem, Grounding

_ALL_BUT = 0.99  # of the drafts may fail: where all do, no model answers, and that is no recommendation

Mode = Literal["retrieve", "constrained"]


@dataclass(frozen=True)
class GroundedChoice:
    """The real items for one request, best first; `fits` is False if even the nearest is not similar enough.

    `nearness` is the cosine between the request and its nearest item, `floor` the threshold for it.
    """

    items: tuple[GroundedItem, ...]
    fits: bool
    nearness: float
    floor: float


@dataclass(frozen=True)
class Recommendation:
    """A finished answer.

    `draft` is the model's first text; `answer` is the final one: reasons for the first of `items` and the
    line that names it, or nothing if `fits` is False. `reasons_by` says who wrote the reasons.
    """

    request: RecommendationRequest
    draft: str
    answer: str
    choice: GroundedChoice
    reasons_by: By | None = None
    tries: int = 0

    @property
    def items(self) -> tuple[GroundedItem, ...]:
        """The real items, the best first."""
        return self.choice.items

    @property
    def fits(self) -> bool:
        """Whether anything is recommended."""
        return self.choice.fits and bool(self.choice.items)

    @property
    def named(self) -> GroundedItem | None:
        """The item that is recommended, or None."""
        return self.items[0] if self.fits else None


@dataclass(frozen=True)
class GenerativeRecommender:
    """Recommends with a GGUF model, grounded in a catalogue; the generation cache keeps finished answers."""

    model: Path
    grounding: Grounding
    retrieval: RetrievalConfig
    generation_cache: Path

    def recommend(self, request: RecommendationRequest) -> Recommendation:
        """Answer one request; see `recommend_all`."""
        return self.recommend_all([request])[0]

    def recommend_all(self, requests: Sequence[RecommendationRequest]) -> list[Recommendation]:
        """Answer requests, in order; `retrieval.top` items each, fewer only if the catalogue has no more."""
        drafts = self.drafts(requests)
        return self.finished(requests, drafts, self.choices(requests, drafts, self.retrieval.grounding))

    def drafts(self, requests: Sequence[RecommendationRequest]) -> list[str]:
        """The model's answers before grounding."""
        sampling = self.retrieval.sampling
        asked = [
            GenerationRequest(
                content_id("recommend", r.messages), r.messages, sampling, sampling.seed, history=r.shown
            )
            for r in requests
        ]
        return [answer.text.strip() for answer in self._generate(asked, _ALL_BUT)]

    def choices(
        self, requests: Sequence[RecommendationRequest], drafts: Sequence[str], mode: Mode
    ) -> list[GroundedChoice]:
        """The real items for the drafts, by the configured grounding method."""
        methods = {"retrieve": self._retrieved, "constrained": self._constrained}
        return [
            self._judged(request, items)
            for request, items in zip(requests, methods[mode](requests, drafts), strict=True)
        ]

    def finished(
        self,
        requests: Sequence[RecommendationRequest],
        drafts: Sequence[str],
        choices: Sequence[GroundedChoice],
        attempts: int | None = None,
    ) -> list[Recommendation]:
        """The final answers, with reasons for the items chosen; 0 `attempts` generates none."""
        explanation_request = {
            number: self._why(request, choice.items[0])
            for number, (request, choice) in enumerate(zip(requests, choices, strict=True))
            if choice.fits and choice.items
        }
        config = self.retrieval
        tries = config.attempts if attempts is None else attempts
        written = write_explanations(
            list(explanation_request.values()), self.grounding, config.sampling, tries, self._generate
        )
        reasons = dict(zip(explanation_request, written, strict=True))
        return [
            Recommendation(request, draft, found.text, choice, found.by, found.tries)
            if (found := reasons.get(number))
            else Recommendation(request, draft, "", choice)
            for number, (request, draft, choice) in enumerate(zip(requests, drafts, choices, strict=True))
        ]

    def _generate(
        self, requests: Sequence[GenerationRequest], failures: float = 1.0
    ) -> list[GenerationResult]:
        if not requests:
            return []
        return generate(self.model, requests, self.retrieval, self.generation_cache, "recommend", failures)

    def _retrieved(
        self, requests: Sequence[RecommendationRequest], drafts: Sequence[str]
    ) -> list[list[GroundedItem]]:
        top, found = self.retrieval.top, list[list[GroundedItem]]()
        for request, draft in zip(requests, drafts, strict=True):
            # If the model wrote nothing, only the request itself is searched for.
            search = self.grounding.top if draft else self.grounding.nearest
            found.append(search(draft, request.domain, top, request.known, request.user_requests))
        return found

    def _constrained(
        self, requests: Sequence[RecommendationRequest], drafts: Sequence[str]
    ) -> list[list[GroundedItem]]:
        titles = {request.domain: self.grounding.titles[request.domain].distinct for request in requests}
        asked = [
            TitleRequest(request.messages, draft, request.locale, request.domain, self._banned(request))
            for request, draft in zip(requests, drafts, strict=True)
        ]
        ranked = name_titles(self.model, asked, titles, self.retrieval, self.generation_cache)
        found = list[list[GroundedItem]]()
        for request, some in zip(requests, ranked, strict=True):
            own = [(titles[request.domain][one.title], one.mean) for one in some]
            items = [self._bearer(title, mean, request) for title, mean in own]
            found.append([item for item in items if item][: self.retrieval.top])
        return found

    def _banned(self, request: RecommendationRequest) -> tuple[int, ...]:
        """The titles that only items of the history have, by their places among the distinct ones."""
        titles = self.grounding.titles[request.domain]
        borne = [titles.bearers(titles.item(item).title) for item in request.known]
        own = {some[0].title for some in borne if some and request.known.issuperset(i.item_id for i in some)}
        return tuple(place for place, title in enumerate(titles.distinct) if title in own)

    def _bearer(self, title: str, mean: float, request: RecommendationRequest) -> GroundedItem | None:
        bearers = self.grounding.titles[request.domain].bearers(title)
        item = next((item for item in bearers if item.item_id not in request.known), None)
        if item is None:
            return None
        evidence = f"{head_of(item)} (log-likelihood a token {mean:.2f})"
        return GroundedItem(item.item_id, item.title, "title", 1.0, 0.0, evidence)

    def _judged(self, request: RecommendationRequest, items: Sequence[GroundedItem]) -> GroundedChoice:
        """Whether any item of the catalogue is similar enough to the request."""
        wanted = self.retrieval.min_similarity
        floor = self.grounding.floor(request.domain) if wanted == "auto" else wanted
        nearness = self.grounding.fit(request.user_requests, request.domain, request.known)
        return GroundedChoice(tuple(items), request.crosses or nearness >= floor, nearness, floor)

    def _why(self, request: RecommendationRequest, chosen: GroundedItem) -> ExplanationRequest:
        item = self.grounding.titles[request.domain].item(chosen.item_id)
        # The chunk with the title has only what the item itself has.
        own = chosen.how == "embedding" and not chosen.evidence.startswith(head_of(item))
        body = chosen.evidence if own else ""
        return ExplanationRequest(item, request.liked, request.query, request.locale, body)
