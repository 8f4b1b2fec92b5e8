"""Answering requests from one catalogue: ranking, searching, and giving reasons and evidence."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from rectune.core.errors import UserError
from rectune.core.item_values import checked_property
from rectune.core.settings import RetrievalConfig
from rectune.core.types import Item
from rectune.prompts.title_index import TitleIndexes
from rectune.rankers.base import Attributes, Ranker
from rectune.rankers.co_likes import CoLikes
from rectune.recommender.events import AnswerEvents, numbered
from rectune.recommender.evidence import evidence_for, people_in_words
from rectune.recommender.explanation_request import ExplanationRequest
from rectune.recommender.explanations import (
    Explanation,
    OnReason,
    explained,
    plain_sentence,
)
from rectune.recommender.judging import Judgement, judge
from rectune.recommender.load_ranker import check_fitted_on
from rectune.recommender.model_answers import answers_by_model, with_reasons
from rectune.recommender.model_ranking import ModelRanking
from rectune.recommender.options import RecommendOptions
from rectune.recommender.placing import Places, placed
from rectune.recommender.ranker_reasons import RankerReasons, ranker_can_write
from rectune.recommender.ranking import RankRequest, RequestRanker
from rectune.recommender.read_request import ReadRequest, read_request
from rectune.recommender.reason_checks import IndexedTitles
from rectune.recommender.requests import UserRequest, from_words
from rectune.recommender.results import Recommendations, RecommendedItem
from rectune.recommender.selection import allowed_ids
from rectune.recommender.tables import id_text
from rectune.retrieval.embedding import query_vectors_kept

if TYPE_CHECKING:
    from rectune.recommender.generative import GenerativeRecommender
    from rectune.retrieval.grounding import Grounding

_LIKED = 10  # items of a history that reasons may speak of: the latest


class CatalogueAnswers:
    """Recommends items of one catalogue for a history, a user or a query, with reasons.

    `rectune.recommender.recommender.Recommender` is made from files, frames and runs.

    Args:
        items: the catalogue, of one domain.
        ranker: what ranks; where it is None, the language model answers, and its answer is grounded in the
            catalogue.
        generative: the language model with its grounding; without one, reasons are plain sentences from the
            catalogue.
        grounding: gives the index of the catalogue, which words are looked up in; called when it is needed.
        histories: user -> ids of the items liked, oldest first.
        likes: what people liked, for evidence.
        attributes: user -> what they stated, for those who stated something.
        retrieval: the threshold below which nothing fits.
        model_ranking: what the model adds to the ranking; None for nothing.
        ranker_writes: whether a ranker with a language model of its own (`allmrec`) words the reasons where
            it ranks.

    Raises:
        UserError: no items, several domains, an id twice, nothing that ranks, or a ranker of other items.
    """

    def __init__(
        self,
        items: Sequence[Item],
        ranker: Ranker | None = None,
        generative: GenerativeRecommender | None = None,
        grounding: Callable[[], Grounding] | None = None,
        histories: Mapping[str, Sequence[str]] | None = None,
        likes: CoLikes | None = None,
        retrieval: RetrievalConfig | None = None,
        model_ranking: ModelRanking | None = None,
        ranker_writes: bool = False,
        attributes: Mapping[str, Attributes] | None = None,
    ) -> None:
        if not items:
            raise UserError("the catalogue holds no items", hint="give at least one item with a title")
        if ranker is None and generative is None:
            raise UserError("nothing that ranks", hint="give a ranker, as bm25, or a language model")
        if ranker is None and generative and generative.retrieval.grounding == "ranked":
            raise UserError(
                "nothing that ranks",
                hint="give a ranker, as hybrid; or let the model choose, with retrieval.grounding: retrieve",
            )
        if len(domains := sorted({item.domain for item in items})) > 1:
            raise UserError(
                f"the catalogue holds several domains: {', '.join(domains)}",
                hint="make a recommender for each",
            )
        self.items = {item.item_id: item for item in items}
        if len(self.items) < len(items):
            raise UserError("the catalogue holds an id twice", hint="give each item an id of its own")
        check_fitted_on(ranker, self.items)
        self.domain, self.ranker, self.generative = items[0].domain, ranker, generative
        self.likes, self.model_ranking, self.ranker_writes = likes, model_ranking, ranker_writes
        self.retrieval = retrieval or RetrievalConfig()
        self._ground, self._histories, self._attributes = grounding, histories or {}, attributes or {}

    @property
    def asks_ranker(self) -> bool:
        """Whether the ranker, or one of those among which was chosen, words reasons itself."""
        return self.ranker_writes and ranker_can_write(self.ranker)

    @property
    def attributes_known(self) -> frozenset[str]:
        """What the ranker learnt from of what users state; see `Ranker.attributes_known`."""
        return self.ranker.attributes_known if self.ranker else frozenset[str]()

    @property
    def users(self) -> Collection[str]:
        """The users whose histories are known."""
        return self._histories.keys()

    @query_vectors_kept()
    def recommend_all(
        self,
        requests: Sequence[UserRequest],
        options: RecommendOptions,
        events: AnswerEvents | None = None,
    ) -> list[Recommendations]:
        """Items for many requests, in order; what a language model writes is written for all together.

        `events` hears of the items before the reasons, and of each reason as soon as it has been checked.
        """
        within = self._within(options)
        read = [
            read_request(request, self.domain, self.items, self.titles).with_known_attributes(
                self.attributes_known
            )
            for request in requests
        ]
        if self.ranker is None:
            assert self.generative is not None  # the constructor refuses neither
            items = list(self.items.values())
            answers = answers_by_model(self.generative, items, read, options, within, events)
            return [
                replace(answer, unknown_attributes=one.unknown_attributes)
                for answer, one in zip(answers, read, strict=True)
            ]
        if options.per:
            checked_property(self.items.values(), options.per)
        asked = self._with_drafts(read, [one.ranked_for(options.excluded) for one in read])
        rankings = self.rank_by.ranked(asked, within, options.ranked)
        if options.reorder:
            rankings = [replace(one, items=options.reorder.items(one.items)) for one in rankings]
        places = [
            placed(ranking, self.items, one.liked, options)
            for ranking, one in zip(rankings, read, strict=True)
        ]
        judged = [self._judged(one) for one in read]
        fitting = [
            found if one is None or one.fits else Places(())
            for found, one in zip(places, judged, strict=True)
        ]
        found = [
            self._answer(read[at], asked[at], places[at], judged[at], options, within)
            for at in range(len(read))
        ]
        if events:
            for at, answer in enumerate(found):
                events.on_items(at, answer)
        reasons = self._explained(read, fitting, found, options.explain, events)
        return [with_reasons(answer, some) for answer, some in zip(found, reasons, strict=True)]

    def user_requests(self, rows: Sequence[Mapping[str, Any]]) -> list[UserRequest]:
        """The requests of rows with `user`, `history`, `query` and `attributes`; some may be empty."""
        return [
            self.known(
                row.get("user"), UserRequest(row["history"], row["query"], attributes=row["attributes"])
            )
            for row in rows
        ]

    def known(self, user: Any, request: UserRequest) -> UserRequest:
        """The request with what a user is known to have liked before what is given, and to have stated where
        nothing else is given; None is no user.

        Raises:
            UserError: the user is not known, or what is given is of another domain.
        """
        if user is None:
            return request
        if request.history_domain not in ("", self.domain):
            raise UserError(
                f"likes of a user in {self.domain} and a history in {request.history_domain}",
                hint="give the user, or the history, not both",
            )
        stated = {**self._attributes.get(id_text(user), {}), **request.attributes}
        return replace(request, history=[*self.history_of(user), *request.history], attributes=stated)

    def history_of(self, user: Any) -> Sequence[str]:
        """The ids that a user is known to have liked, oldest first.

        Raises:
            UserError: the user is not known.
        """
        name = id_text(user)  # whatever the table that they come from has
        if name in self._histories:
            return self._histories[name]
        known = "no interactions were given" if not self._histories else f"{len(self._histories):,} are known"
        raise UserError(f"the user {name!r} is not known: {known}", hint="give a history or a query instead")

    @property
    def grounding(self) -> Grounding | None:
        """The catalogue's index, and titles; None where words are not looked up."""
        return self._ground() if self._ground else None

    @cached_property
    def titles(self) -> TitleIndexes:
        """The titles of the catalogue, by domain, to look items up by."""
        return TitleIndexes(self.items.values())

    def _with_drafts(
        self, read: Sequence[ReadRequest], asked: Sequence[RankRequest]
    ) -> Sequence[RankRequest]:
        """The requests, with what the model writes to histories, where that counts."""
        if not (self.generative and self.model_ranking and self.model_ranking.draft_weight):
            return asked
        able = [at for at, one in enumerate(asked) if one.history and not one.words]
        grounding, items = self.generative.grounding, list(self.items.values())
        typed = [UserRequest(read[at].titles) for at in able]
        drafts = self.generative.drafts([from_words(items, one, grounding) for one in typed])
        written = dict(zip(able, drafts, strict=True))
        return [replace(one, draft=written.get(at, "")) for at, one in enumerate(asked)]

    @cached_property
    def rank_by(self) -> RequestRanker:
        """The ranker, with the index for what is asked for in words."""
        assert self.ranker is not None  # asked for only where one ranks
        ground = self._ground
        index = (lambda: ground().index) if ground else None
        return RequestRanker(self.domain, self.ranker, index, self.model_ranking)

    def _within(self, options: RecommendOptions) -> frozenset[str] | None:
        """The ids that may be recommended; None for all."""
        met = allowed_ids(list(self.items.values()), options.where)
        if options.within is None:
            return met
        wanted = dict.fromkeys(map(str, options.within))
        if strange := [item for item in wanted if item not in self.items]:
            shown = ", ".join(strange[:5]) + (f" and {len(strange) - 5:,} more" if len(strange) > 5 else "")
            raise UserError(f"the catalogue lacks {shown}", where="within", hint="give ids of the catalogue")
        return frozenset(wanted) if met is None else met & wanted.keys()

    def _judged(self, request: ReadRequest) -> Judgement | None:
        """Whether anything fits what is asked for in words; None where nothing is, or nothing can tell."""
        if not request.words or request.crosses or not self.rank_by.searches_index:
            return None
        assert self._ground is not None  # `searches_index`
        return judge(request.user_requests, self.domain, request.known, self._ground(), self.retrieval)

    def _explained(
        self,
        read: Sequence[ReadRequest],
        places: Sequence[Places],
        answers: Sequence[Recommendations],
        count: int,
        events: AnswerEvents | None,
    ) -> list[list[Explanation]]:
        """Reasons for the first items of each answer that fits, in whose `places` they are."""
        wanted = [
            self._explanation_requests(request, answer.items[: min(count, len(fitting.items))])
            for request, fitting, answer in zip(read, places, answers, strict=True)
        ]
        flat = [(at, one) for at, asked in enumerate(wanted) for one in asked]
        tell = numbered([(at, one.item.item_id) for at, one in flat], events)
        written = self._written([one for _, one in flat], tell)
        rest = iter(written)
        return [[next(rest) for _ in asked] for asked in wanted]

    def _explanation_requests(
        self, request: ReadRequest, items: Sequence[RecommendedItem]
    ) -> list[ExplanationRequest]:
        liked, query = request.told
        return [
            ExplanationRequest(
                self.items[one.item_id], liked[-_LIKED:], query, request.locale,
                people=people_in_words(one.evidence), history=request.own_history,
            )
            for one in items
        ]  # fmt: skip

    def _written(self, wanted: Sequence[ExplanationRequest], on_reason: OnReason | None) -> list[Explanation]:
        if not self.asks_ranker or not wanted:
            return self._worded(wanted, on_reason)
        known = self.generative.grounding if self.generative else IndexedTitles(self.titles)
        own = RankerReasons(
            lambda one: self.rank_by.reason_writer(one.history, one.query), known, self.retrieval
        )
        return own.explained(wanted, self.retrieval.attempts, self._worded, on_reason)

    def _worded(self, wanted: Sequence[ExplanationRequest], on_reason: OnReason | None) -> list[Explanation]:
        """By the language model beside the ranker; without one, plain sentences."""
        if self.generative is not None and wanted:
            return self.generative.explained(wanted, self.generative.retrieval.attempts, on_reason)
        found = [explained(plain_sentence(one), one, "template", 0) for one in wanted]
        if on_reason:
            for number, reason in enumerate(found):
                on_reason(number, reason)
        return found

    def _answer(
        self,
        request: ReadRequest,
        asked: RankRequest,
        places: Places,
        judged: Judgement | None,
        options: RecommendOptions,
        within: frozenset[str] | None,
    ) -> Recommendations:
        ids = [one.item_id for one in places.items]
        evidence = evidence_for(
            [self.items[item] for item in ids], request.liked, request.query, request.locale, self.likes
        )
        found = [
            RecommendedItem(
                one.item_id,
                self.items[one.item_id].title,
                one.score,
                evidence=evidence[at],
                explored=one.item_id in places.explored,
            )
            for at, one in enumerate(places.items)
        ]
        return Recommendations(
            tuple(found),
            fits=judged is None or judged.fits,
            not_found=request.not_found,
            nearness=judged.nearness if judged else None,
            min_similarity=judged.min_similarity if judged else None,
            ranking=self.rank_by.explained(asked, ids, within, options.explain_ranking),
            explored=options.explored,
            history=request.titles,
            by_words=judged is not None and judged.by_words,
            locale=request.locale,
            unknown_attributes=request.unknown_attributes,
        )
