"""Answering requests from one catalogue: ranking, searching, and giving reasons."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from rectune.core.errors import UserError
from rectune.core.text.plain import cut_line, locale_of
from rectune.core.types import Item
from rectune.prompts.title_index import TitleIndexes
from rectune.rankers.base import Ranker, ScoredItem
from rectune.rankers.baselines import Bm25
from rectune.recommender.explanations import (
    Explanation,
    ExplanationRequest,
    explained,
    plain_sentence,
    write_explanations,
)
from rectune.recommender.requests import LONGEST_QUERY, LONGEST_TITLE, UserRequest, from_words
from rectune.recommender.results import Recommendations, RecommendedItem
from rectune.recommender.selection import allowed_ids
from rectune.retrieval.rank_fusion import first_within, reciprocal_rank_fusion

if TYPE_CHECKING:
    from rectune.recommender.generative import GenerativeRecommender, Recommendation
    from rectune.retrieval.grounding import Grounding

_POOL = 100  # items of each ranking that are fused, at least
_LIKED = 10  # items of a history that reasons may speak of: the latest


@dataclass(frozen=True)
class RecommendOptions:
    """What holds for all requests of a call.

    Attributes:
        k: items of an answer, at least 1.
        exclude: ids that are not recommended, besides the history's.
        where: conditions; see `rectune.recommender.selection.allowed_ids`.
        explain: of how many items of an answer reasons are given, the best first.

    Raises:
        UserError: k is below 1, explain below 0, or exclude is one text.
    """

    k: int = 5
    exclude: Collection[str] = ()
    where: Mapping[str, Any] = field(default_factory=dict)
    explain: int = 5

    @classmethod
    def of(
        cls, k: int, exclude: Collection[str], where: Mapping[str, Any] | None, explain: bool | int
    ) -> RecommendOptions:
        """From the arguments of `Recommender.recommend`: True explains all items, False none."""
        return cls(k, exclude, where or {}, k * explain if isinstance(explain, bool) else explain)

    def __post_init__(self) -> None:
        if self.k < 1:
            raise UserError(f"k is {self.k}", hint="ask for at least one item")
        if self.explain < 0:
            raise UserError(f"explain is {self.explain}", hint="give True, False, or a number of items")
        if isinstance(self.exclude, str):
            raise UserError("exclude is one text", hint="give a list of ids")


class CatalogueAnswers:
    """Recommends items of one catalogue for a history, a user or a query, with reasons.

    `rectune.recommender.recommender.Recommender` is made from files, frames and runs.

    Args:
        items: the catalogue, of one domain.
        ranker: what ranks for a history; where it is None, the language model does: it answers, and its
            answer is grounded in the catalogue.
        generative: the language model with its grounding; without one, reasons are plain sentences from the
            catalogue.
        grounding: gives the index of the catalogue, which queries are looked up in; called when it is needed.
        histories: user -> ids of the items liked, oldest first.

    Raises:
        UserError: there are no items, they are of several domains, an id is there twice, or nothing ranks.
    """

    def __init__(
        self,
        items: Sequence[Item],
        ranker: Ranker | None = None,
        generative: GenerativeRecommender | None = None,
        grounding: Callable[[], Grounding] | None = None,
        histories: Mapping[str, Sequence[str]] | None = None,
    ) -> None:
        if not items:
            raise UserError("the catalogue holds no items", hint="give at least one item with a title")
        if ranker is None and generative is None:
            raise UserError("nothing that ranks", hint="give a ranker, as bm25, or a language model")
        if len(domains := sorted({item.domain for item in items})) > 1:
            raise UserError(
                f"the catalogue holds several domains: {', '.join(domains)}",
                hint="make a recommender for each",
            )
        self.items = {item.item_id: item for item in items}
        if len(self.items) < len(items):
            raise UserError("the catalogue holds an id twice", hint="give each item an id of its own")
        self.domain = items[0].domain
        self.ranker, self.generative = ranker, generative
        self._ground = grounding
        self._histories = histories or {}

    @property
    def users(self) -> Collection[str]:
        """The users whose histories are known."""
        return self._histories.keys()

    def recommend_all(
        self, requests: Sequence[UserRequest], options: RecommendOptions
    ) -> list[Recommendations]:
        """Items for many requests, in order; what a language model writes is written for all together."""
        within = allowed_ids(list(self.items.values()), options.where)
        read = [self._read(request) for request in requests]
        if self.ranker is None:
            return self._by_model(read, options, within)
        ranked = [self._ranked(one, options, within) for one in read]
        explained = self._explained(read, ranked, options.explain)
        return [
            Recommendations(
                tuple(self._item(scored, reason, one) for scored, reason in _paired(found, reasons)),
                not_found=one.not_found,
            )
            for one, found, reasons in zip(read, ranked, explained, strict=True)
        ]

    def user_requests(self, rows: Sequence[Mapping[str, Any]]) -> list[UserRequest]:
        """The requests of rows with `user` (whose known history is taken), or `history`, and `query`."""
        return [
            UserRequest(
                self._history(row["user"]) if row.get("user") is not None else row["history"], row["query"]
            )
            for row in rows
        ]

    def _history(self, given: Any) -> Sequence[str]:
        user = str(given)  # ids are text, whatever the table that they come from has
        if user not in self._histories:
            known = (
                "no interactions were given" if not self._histories else f"{len(self._histories):,} are known"
            )
            raise UserError(
                f"the user {user!r} is not known: {known}", hint="give a history or a query instead"
            )
        return self._histories[user]

    @cached_property
    def titles(self) -> TitleIndexes:
        """The titles of the catalogue, by domain, to look items up by."""
        return TitleIndexes(self.items.values())

    def _read(self, request: UserRequest) -> _ReadRequest:
        """What was typed, looked up in the catalogue: ids first, then titles."""
        own = not request.history_domain or request.history_domain == self.domain
        liked, known, strange = list[Item](), set[str](), list[str]()
        for text in request.history:
            name = str(text)  # a number is an id as well
            words = cut_line(name, LONGEST_TITLE)
            found = [self.items[name]] if own and name in self.items else []
            found = found or (self.titles[self.domain].called(words) if own and words else [])
            known |= {item.item_id for item in found}
            if not found and words:
                strange.append(words)
            if found or words:
                liked.append(found[0] if found else Item(request.history_domain or self.domain, "", words))
        query = cut_line(request.query, LONGEST_QUERY)
        if not liked and not query:
            raise UserError("nothing to go by", hint="give a history, a user, a query, or several of them")
        return _ReadRequest(request, tuple(liked), query, frozenset(known), tuple(strange) if own else ())

    def _ranked(
        self, request: _ReadRequest, options: RecommendOptions, within: frozenset[str] | None
    ) -> list[ScoredItem]:
        """The k best items by the ranker, by the query, or by both."""
        absent = request.known | frozenset(options.exclude)
        rankings: dict[str, list[ScoredItem]] = {}
        ids = request.ids
        pool = options.k if not request.wanted else max(_POOL, options.k)
        if ids and self.ranker:
            rankings["history"] = self.ranker.top([ids], pool, [absent], within)[0]
        if request.wanted:
            rankings["query"] = self._searched(request.wanted, pool, absent, within)
        if len(rankings) == 1:
            return next(iter(rankings.values()))[: options.k]
        fused = reciprocal_rank_fusion(
            {name: [one.item_id for one in found] for name, found in rankings.items()}
        )
        best = sorted(fused, key=lambda item: -fused[item])[: options.k]
        return [ScoredItem(item, fused[item]) for item in best]

    def _searched(
        self, text: str, k: int, absent: frozenset[str], within: frozenset[str] | None
    ) -> list[ScoredItem]:
        """The items that fit words: by BM25 where the ranker is that, else by the index."""
        if isinstance(self.ranker, Bm25):
            return self.ranker.top_for_text(text, k, absent, within)
        if self._ground is None:
            raise UserError(
                "queries need the index of the catalogue", hint="make the recommender from a catalogue"
            )
        index = self._ground().index
        hits = first_within(lambda limit: index.find([text], self.domain, limit, absent), k, within)
        return [ScoredItem(hit.item_id, hit.score) for hit in hits]

    def _explained(
        self, read: Sequence[_ReadRequest], ranked: Sequence[Sequence[ScoredItem]], count: int
    ) -> list[list[Explanation]]:
        """Reasons for the first items of each answer."""
        wanted = [
            [
                ExplanationRequest(
                    self.items[one.item_id], request.liked[-_LIKED:], request.query, request.locale
                )
                for one in found[:count]
            ]
            for request, found in zip(read, ranked, strict=True)
        ]
        flat = [one for asked in wanted for one in asked]
        if self.generative is None or not flat:
            written = [explained(plain_sentence(one), one, "template", 0) for one in flat]
        else:
            settings = self.generative.retrieval
            written = write_explanations(
                flat, self.generative.grounding, settings.sampling, settings.attempts, self.generative.ask
            )
        rest = iter(written)
        return [[next(rest) for _ in asked] for asked in wanted]

    def _item(self, scored: ScoredItem, reason: Explanation | None, request: _ReadRequest) -> RecommendedItem:
        name = self.ranker.name if self.ranker else ""
        parts = [f"history by {name}"] if request.ids else []
        if request.wanted:
            parts.append("words by bm25" if isinstance(self.ranker, Bm25) else "words by the index")
        evidence = f"{' and '.join(parts)}: {scored.score:.4g}"
        title = self.items[scored.item_id].title
        if reason is None:
            return RecommendedItem(scored.item_id, title, scored.score, evidence=evidence)
        return RecommendedItem(scored.item_id, title, scored.score, reason.reason, reason.by, evidence)

    def _by_model(
        self, read: Sequence[_ReadRequest], options: RecommendOptions, within: frozenset[str] | None
    ) -> list[Recommendations]:
        """The language model answers and its answers are grounded."""
        assert self.generative is not None  # the constructor refuses neither
        grounding, items = self.generative.grounding, list(self.items.values())
        asked = []
        for one in read:
            typed = replace(one.request, history=[item.title for item in one.liked])
            request = from_words(items, typed, grounding)
            asked.append(replace(request, known=request.known | one.known | frozenset(options.exclude)))
        found = self.generative.recommend_all(asked, options.k, within, options.explain)
        return [
            Recommendations(_grounded(answer), answer.fits, one.not_found, answer)
            for one, answer in zip(read, found, strict=True)
        ]


@dataclass(frozen=True)
class _ReadRequest:
    """A request, and what of it the catalogue has.

    `liked` are the items of the history, those that the catalogue lacks without an id; `known` the ids of all
    that bear their titles.
    """

    request: UserRequest
    liked: tuple[Item, ...]
    query: str
    known: frozenset[str]
    not_found: tuple[str, ...]

    @property
    def ids(self) -> list[str]:
        """What of the history the catalogue has, oldest first."""
        return [item.item_id for item in self.liked if item.item_id]

    @property
    def wanted(self) -> str:
        """The words to look for: the query; else the history, where the catalogue has none of it."""
        return self.query or ("" if self.ids else "; ".join(item.title for item in self.liked))

    @property
    def locale(self) -> Any:
        """The language of the request."""
        return locale_of(self.query or " ".join(item.title for item in self.liked))


def _paired(
    found: Sequence[ScoredItem], reasons: Sequence[Explanation]
) -> list[tuple[ScoredItem, Explanation | None]]:
    return [(one, reasons[at] if at < len(reasons) else None) for at, one in enumerate(found)]


def _grounded(answer: Recommendation) -> tuple[RecommendedItem, ...]:
    found = []
    for at, item in enumerate(answer.items):
        reason = answer.explanations[at] if at < len(answer.explanations) else None
        scored = RecommendedItem(item.item_id, item.title, item.similarity, evidence=item.evidence)
        found.append(replace(scored, reason=reason.reason, reason_by=reason.by) if reason else scored)
    return tuple(found)
