"""The generative recommender: the tuned model's draft, the real items for it, and explanations."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from rectune.core.errors import UserError
from rectune.core.settings import RetrievalConfig
from rectune.core.types import Locale, content_id
from rectune.inference.generate import Generate, Model, OnAnswer, generate
from rectune.inference.requests import GenerationRequest, GenerationResult
from rectune.rankers.reason_writer import ReasonWriter
from rectune.recommender.constrained_titles import RankedTitle, TitleRequest, name_titles
from rectune.recommender.explanation_request import ExplanationRequest
from rectune.recommender.explanations import (
    By,
    Explanation,
    OnReason,
    all_at_the_end,
    write_explanations,
    written_by_chat,
)
from rectune.recommender.judging import judge
from rectune.recommender.ranked_items import ranked_items
from rectune.recommender.ranker_reasons import RankerReasons
from rectune.recommender.ranking import RequestRanker
from rectune.recommender.requests import RecommendationRequest
from rectune.retrieval.chunks import head_of
from rectune.retrieval.grounding import GroundedItem, Grounding
from rectune.retrieval.rank_fusion import first_within

_ALL_BUT = 0.99  # of the drafts may fail: where all do, no model answers, and that is no recommendation

Mode = Literal["ranked", "retrieve", "constrained"]
# As `rectune.recommender.constrained_titles.name_titles`.
NameTitles = Callable[
    [Path, Sequence[TitleRequest], Mapping[str, Sequence[str]], RetrievalConfig, Path],
    list[list[RankedTitle]],
]


@dataclass(frozen=True)
class GroundedChoice:
    """The real items for one request, best first; `fits` is False if even the nearest is not similar enough.

    `nearness` is the cosine between the request and its nearest item, `min_similarity` the threshold for it;
    `by_words` says that words in common decided instead.
    """

    items: tuple[GroundedItem, ...]
    fits: bool
    nearness: float
    min_similarity: float
    by_words: bool = False


@dataclass(frozen=True)
class Recommendation:
    """A finished answer.

    Attributes:
        request: what was asked.
        draft: what the model wrote before grounding.
        choice: the real items, and whether any fits.
        explanations: reasons for the first of the items, in their order; empty where none fits.
    """

    request: RecommendationRequest
    draft: str
    choice: GroundedChoice
    explanations: tuple[Explanation, ...] = ()

    @property
    def answer(self) -> str:
        """Reasons for the first item and the line that names it; empty where nothing is recommended."""
        return self.explanations[0].text if self.explanations else ""

    @property
    def reasons_by(self) -> By | None:
        """Who wrote these reasons."""
        return self.explanations[0].by if self.explanations else None

    @property
    def tries(self) -> int:
        """How often they were asked for."""
        return self.explanations[0].tries if self.explanations else 0

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
    """Recommends with a GGUF model, grounded in a catalogue; the generation cache keeps finished answers.

    Attributes:
        model: the GGUF file, or the model of a server.
        grounding: of the catalogue.
        retrieval: how drafts are generated and grounded.
        generation_cache: the SQLite file of finished answers.
        generate: what answers with the model; another function in its place makes the answers. For a service
            see `rectune.recommender.served`.
        name_titles: what finds the model's likeliest titles, for constrained grounding.
        rankers: by domain, what ranks where `retrieval.grounding` is `ranked`; drafts count for nothing then.
        untrusted: languages in which plain sentences stand for its reasons (see `model_check`).
    """

    model: Model
    grounding: Grounding
    retrieval: RetrievalConfig
    generation_cache: Path
    generate: Generate = generate
    name_titles: NameTitles = name_titles
    rankers: Mapping[str, RequestRanker] = field(default_factory=dict)
    untrusted: frozenset[Locale] = frozenset()

    def recommend(self, request: RecommendationRequest) -> Recommendation:
        """Answer one request; see `recommend_all`."""
        return self.recommend_all([request])[0]

    def recommend_all(
        self,
        requests: Sequence[RecommendationRequest],
        top: int | None = None,
        within: AbstractSet[str] | None = None,
        reasons: int = 1,
    ) -> list[Recommendation]:
        """Answer requests, in order.

        Args:
            requests: what is asked; their `known` items are not recommended.
            top: items of an answer, fewer only if no more are allowed; `retrieval.top` unless given.
            within: only these ids are recommended.
            reasons: of how many items of an answer reasons are written.
        """
        drafts = self.drafts(requests)
        choices = self.choices(requests, drafts, self.retrieval.grounding, top, within)
        return self.finished(requests, drafts, choices, reasons=reasons)

    def drafts(self, requests: Sequence[RecommendationRequest]) -> list[str]:
        """The model's answers before grounding."""
        sampling = self.retrieval.sampling
        asked = [
            GenerationRequest(
                content_id("recommend", r.messages), r.messages, sampling, sampling.seed, history=r.shown
            )
            for r in requests
        ]
        return [answer.text.strip() for answer in self.ask(asked, _ALL_BUT)]

    def choices(
        self,
        requests: Sequence[RecommendationRequest],
        drafts: Sequence[str],
        mode: Mode,
        top: int | None = None,
        within: AbstractSet[str] | None = None,
    ) -> list[GroundedChoice]:
        """The real items for the drafts, by a way of choosing them; see `recommend_all`."""
        top = top or self.retrieval.top
        if mode == "ranked":
            found = ranked_items(requests, drafts, self.rankers, self.grounding.titles, top, within)
        else:
            methods = {"retrieve": self._retrieved, "constrained": self._constrained}
            found = methods[mode](requests, drafts, top, within)
        pairs = zip(requests, found, strict=True)
        return [self._judged(request, items, mode) for request, items in pairs]

    def finished(
        self,
        requests: Sequence[RecommendationRequest],
        drafts: Sequence[str],
        choices: Sequence[GroundedChoice],
        attempts: int | None = None,
        reasons: int = 1,
        on_reason: OnReason | None = None,
    ) -> list[Recommendation]:
        """The final answers, with reasons for the first `reasons` items; with 0 `attempts` by no model.

        `on_reason` hears of every reason, by its place among those of all answers, as soon as it is checked.
        """
        wanted = [
            [self._why(request, item) for item in choice.items[:reasons]] if choice.fits else []
            for request, choice in zip(requests, choices, strict=True)
        ]
        config = self.retrieval
        tries = config.attempts if attempts is None else attempts
        flat = [one for some in wanted for one in some]
        written = iter(self.explained(flat, tries, on_reason))
        return [
            Recommendation(request, draft, choice, tuple(next(written) for _ in some))
            for request, draft, choice, some in zip(requests, drafts, choices, wanted, strict=True)
        ]

    def explained(
        self, wanted: Sequence[ExplanationRequest], attempts: int, on_reason: OnReason | None = None
    ) -> list[Explanation]:
        """Reasons for each request, in order; `on_reason` hears of each as soon as it is checked.

        Where one of `rankers` ranked with a language model of its own, that one writes.
        """

        def by_model(some: Sequence[ExplanationRequest], tell: OnReason | None) -> list[Explanation]:
            write = written_by_chat(
                self._ask_each if tell else all_at_the_end(self.ask), self.retrieval.sampling
            )
            return write_explanations(some, self.grounding, attempts, write, self.untrusted, tell)

        own = RankerReasons(self._reason_writer, self.grounding, self.retrieval)
        return own.explained(wanted, attempts, by_model, on_reason)

    def _reason_writer(self, request: ExplanationRequest) -> ReasonWriter | None:
        ranker = self.rankers.get(request.item.domain) if self.retrieval.grounding == "ranked" else None
        return ranker.reason_writer(request.history, request.query) if ranker else None

    def ask(self, requests: Sequence[GenerationRequest], failures: float = 1.0) -> list[GenerationResult]:
        """What the model writes to these requests; see `rectune.inference.generate.generate`."""
        if not requests:
            return []
        return self.generate(
            self.model, requests, self.retrieval, self.generation_cache, "recommend", failures
        )

    def _ask_each(self, requests: Sequence[GenerationRequest], on_answer: OnAnswer) -> None:
        """As `ask`; `on_answer` hears of each answer as it ends."""
        cache = self.generation_cache
        self.generate(self.model, requests, self.retrieval, cache, "recommend", on_answer=on_answer)

    def _retrieved(
        self,
        requests: Sequence[RecommendationRequest],
        drafts: Sequence[str],
        top: int,
        within: AbstractSet[str] | None,
    ) -> list[list[GroundedItem]]:
        return [self._nearest(*each, top, within) for each in zip(requests, drafts, strict=True)]

    def _nearest(
        self, request: RecommendationRequest, draft: str, top: int, within: AbstractSet[str] | None
    ) -> list[GroundedItem]:
        """The items for one draft; more are looked for until `top` of them are allowed."""
        # If the model wrote nothing, only the request itself is searched for.
        search = self.grounding.top if draft else self.grounding.nearest
        return first_within(
            lambda limit: search(draft, request.domain, limit, request.known, request.user_requests),
            top,
            within,
        )

    def _constrained(
        self,
        requests: Sequence[RecommendationRequest],
        drafts: Sequence[str],
        top: int,
        within: AbstractSet[str] | None,
    ) -> list[list[GroundedItem]]:
        if within is not None:
            requests = [
                replace(request, known=request.known | (self.grounding.ids(request.domain) - within))
                for request in requests
            ]
        titles = {request.domain: self.grounding.titles[request.domain].distinct for request in requests}
        asked = [
            TitleRequest(request.messages, draft, request.locale, request.domain, self._banned(request))
            for request, draft in zip(requests, drafts, strict=True)
        ]
        config = self.retrieval.model_copy(update={"beam": max(self.retrieval.beam, top)})
        if not isinstance(self.model, Path):
            says = "a model behind a server cannot name titles by constrained decoding"
            raise UserError(says, where="retrieval.grounding", hint="set it to ranked, or to retrieve")
        ranked = self.name_titles(self.model, asked, titles, config, self.generation_cache)
        found = list[list[GroundedItem]]()
        for request, some in zip(requests, ranked, strict=True):
            own = [(titles[request.domain][one.title], one.mean) for one in some]
            items = [self._bearer(title, mean, request) for title, mean in own]
            found.append([item for item in items if item][:top])
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

    def _judged(
        self, request: RecommendationRequest, items: Sequence[GroundedItem], mode: Mode
    ) -> GroundedChoice:
        """Whether any item of the catalogue is similar enough; one ranked by a history alone always is."""
        judged = judge(request.user_requests, request.domain, request.known, self.grounding, self.retrieval)
        fits = request.crosses or (mode == "ranked" and not request.words) or judged.fits
        return GroundedChoice(tuple(items), fits, judged.nearness, judged.min_similarity, judged.by_words)

    def _why(self, request: RecommendationRequest, chosen: GroundedItem) -> ExplanationRequest:
        item = self.grounding.titles[request.domain].item(chosen.item_id)
        # The chunk with the title has only what the item itself has.
        own = chosen.how == "embedding" and not chosen.evidence.startswith(head_of(item))
        body = chosen.evidence if own else ""
        liked, query = request.told
        return ExplanationRequest(item, liked, query, request.locale, body, history=request.own_history)
