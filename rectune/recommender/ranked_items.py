"""The items that rankers put first, for the requests of prompts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet

from rectune.core.errors import UserError
from rectune.prompts.title_index import TitleIndexes
from rectune.rankers.chosen import ChosenRanker
from rectune.recommender.evidence import evidence_for
from rectune.recommender.ranking import RankRequest, RequestRanker
from rectune.recommender.requests import RecommendationRequest
from rectune.retrieval.grounding import GroundedItem


def ranked_items(
    requests: Sequence[RecommendationRequest],
    drafts: Sequence[str],
    rankers: Mapping[str, RequestRanker],
    titles: TitleIndexes,
    top: int,
    within: AbstractSet[str] | None = None,
) -> list[list[GroundedItem]]:
    """The best items for each request, each with what speaks for it.

    Args:
        requests: what is asked; their `known` items are not ranked.
        drafts: what the language model wrote to each, which counts where the stage `rerank` says so.
        rankers: by domain.
        titles: of the catalogue.
        top: items of an answer.
        within: only these ids are ranked.

    Raises:
        UserError: nothing ranks in the domain of a request.
    """
    found: dict[int, list[GroundedItem]] = {}
    for domain in dict.fromkeys(request.domain for request in requests):
        if domain not in rankers:
            raise UserError(f"nothing ranks in the domain {domain}", hint="run the stage fit")
        places = [at for at, request in enumerate(requests) if request.domain == domain]
        asked = [_asked(requests[at], drafts[at]) for at in places]
        allowed = None if within is None else frozenset(within)
        for at, ranking in zip(places, rankers[domain].ranked(asked, allowed, top), strict=True):
            ids = [one.item_id for one in ranking.items]
            found[at] = _with_evidence(requests[at], ids, rankers[domain], titles)
    return [found[at] for at in range(len(requests))]


def _asked(request: RecommendationRequest, draft: str) -> RankRequest:
    alone = request.own_history and not request.words
    return RankRequest(request.own_history, request.words, request.known, draft if alone else "")


def _with_evidence(
    request: RecommendationRequest, ids: Sequence[str], ranker: RequestRanker, titles: TitleIndexes
) -> list[GroundedItem]:
    items = [titles[request.domain].item(item) for item in ids]
    likes = ranker.ranker.co_likes if isinstance(ranker.ranker, ChosenRanker) else None
    evidence = evidence_for(items, request.liked, request.query, request.locale, likes)
    return [
        GroundedItem(item.item_id, item.title, "ranked", None, evidence=one.text if one else "")
        for item, one in zip(items, evidence, strict=True)
    ]
