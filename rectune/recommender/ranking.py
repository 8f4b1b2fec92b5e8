"""Ranking the catalogue for requests: by what validation chose, or by a ranker and the index."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from rectune.core.errors import UserError
from rectune.rankers.base import Attributes, HeedsWishes, Ranker, ScoredItem, Scores
from rectune.rankers.baselines import Bm25
from rectune.rankers.best import best_allowed
from rectune.rankers.choice import INDEX
from rectune.rankers.chosen import ChosenRanker
from rectune.rankers.reason_writer import ReasonWriter
from rectune.rankers.weighting import standardised_rows
from rectune.recommender.explained_ranking import RankedBy, Ranking, chosen_ranking
from rectune.recommender.model_ranking import ModelRanking
from rectune.recommender.placing import RankedItems
from rectune.retrieval.index_scores import find_within, index_scores
from rectune.retrieval.rank_fusion import reciprocal_rank_fusion
from rectune.retrieval.search import CatalogueIndex

_POOL = 100  # items of each ranking that are fused by their ranks, at least
_AT_ONCE = 64  # requests whose whole catalogue is scored together
_FOUND_BY_WORDS = (INDEX, Bm25.name)  # what scores 0 what it does not find


@dataclass(frozen=True)
class RankRequest:
    """What is ranked for.

    Attributes:
        history: ids that the catalogue has, oldest first.
        words: what is looked for; empty for a history alone.
        absent: ids that are not ranked.
        draft: what a language model wrote to the history, to be searched for beside it; empty for nothing.
        attributes: what the user states; empty for nothing.
    """

    history: tuple[str, ...]
    words: str
    absent: frozenset[str]
    draft: str = ""
    attributes: Attributes = field(default_factory=dict)


class RequestRanker:
    """Ranks the items of one domain for histories, words, or both.

    A `ChosenRanker` scores both together, as it was measured. Any other ranker scores histories; words are
    looked up in the index (by BM25 where that ranks), and both are fused by reciprocal rank. One that heeds
    wishes (`allmrec`) scores a history under the words that stand beside it.

    Args:
        domain: of the items.
        ranker: fitted on them.
        index: gives the index of the catalogue, when words are first looked up; None where there is none.
        model: what a language model adds to the ranking for a history alone; None for nothing.
    """

    def __init__(
        self,
        domain: str,
        ranker: Ranker,
        index: Callable[[], CatalogueIndex] | None = None,
        model: ModelRanking | None = None,
    ) -> None:
        self.domain, self.ranker, self._index, self.model = domain, ranker, index, model

    @property
    def searches_index(self) -> bool:
        """Whether there is an index that words are compared with."""
        return self._index is not None and not isinstance(self.ranker, Bm25)

    def ranked(
        self, requests: Sequence[RankRequest], within: frozenset[str] | None, k: int | None
    ) -> list[RankedItems]:
        """The ranking for each request.

        Args:
            requests: what is ranked for.
            within: only these ids are ranked; all of the catalogue without it.
            k: how many of the best; None for all.

        Raises:
            UserError: words are looked for, and there is no index.
        """
        found = []
        first = k if k is None or self.model is None else max(k, self.model.candidates)
        for start in range(0, len(requests), _AT_ONCE):
            some = requests[start : start + _AT_ONCE]
            if isinstance(self.ranker, ChosenRanker):
                found += self._chosen(self.ranker, some, within, first)
            else:
                found += self._by_ranks(self.ranker, some, within, first)
        if self.model is None:
            return found
        histories = [() if one.words else one.history for one in requests]
        again = self.model.reordered(histories, [one.items for one in found])
        return [replace(one, items=items[:k]) for one, items in zip(found, again, strict=True)]

    def reason_writer(self, history: Sequence[str], words: str) -> ReasonWriter | None:
        """The ranker that ranks for such a request and has a language model of its own; None for none."""
        if not history:
            return None
        ranking: Sequence[Ranker] = (self.ranker,)
        if isinstance(self.ranker, ChosenRanker):
            ranking = self.ranker.rankers_for(history, words)
        return next((one for one in ranking if isinstance(one, ReasonWriter) and one.writes), None)

    def explained(
        self, request: RankRequest, item_ids: Sequence[str], within: frozenset[str] | None, parts: bool
    ) -> Ranking:
        """What ranked for a request, and, with `parts`, what each ranker contributed to these items."""
        found = self._explained(request, item_ids, within, parts)
        if self.model is None or request.words or not request.history:
            return found
        return replace(found, model=self.model.describe())

    def _explained(
        self, request: RankRequest, item_ids: Sequence[str], within: frozenset[str] | None, parts: bool
    ) -> Ranking:
        if isinstance(self.ranker, ChosenRanker):
            bound = self._bound(self.ranker, within)
            ids = item_ids if parts else ()
            return chosen_ranking(bound, request.history, request.words, ids, request.attributes)
        words = Bm25.name if isinstance(self.ranker, Bm25) else INDEX
        both = bool(request.history and request.words)
        past = request.history or (request.attributes and not request.words)
        by = [RankedBy("history", None if both else 1.0, self.ranker.name)] if past else []
        by += [RankedBy("words", None if both else 1.0, words)] if request.words else []
        return Ranking(tuple(by), {})

    def _chosen(
        self,
        ranker: ChosenRanker,
        requests: Sequence[RankRequest],
        within: frozenset[str] | None,
        k: int | None,
    ) -> list[RankedItems]:
        bound = self._bound(ranker, within)
        histories, words = [one.history for one in requests], [one.words for one in requests]
        scores = bound.score_requests(histories, words, [one.attributes for one in requests])
        scores = self._with_drafts(scores, [one.draft for one in requests])
        by_words = ranker.choice.queries.chosen.weights
        only_found = len(by_words) == 1 and next(iter(by_words)) in _FOUND_BY_WORDS
        found = []
        for one, row in zip(requests, scores, strict=True):
            lone = only_found and not ranker.history_share(one.history, one.words)
            found.append(self._best(row, one, within, k, row != 0 if lone else None))
        return found

    def _with_drafts(self, scores: Scores, drafts: Sequence[str]) -> Scores:
        """The scores, with the search for what a model wrote where it wrote something."""
        written = [at for at, draft in enumerate(drafts) if draft]
        weight = self.model.draft_weight if self.model else 0.0
        if not written or not weight:
            return scores
        searched = standardised_rows(self._index_scores([drafts[at] for at in written], None))
        own = standardised_rows(scores[written])
        scores[written] = weight * searched + (1 - weight) * own
        return scores

    def _bound(self, ranker: ChosenRanker, within: frozenset[str] | None) -> ChosenRanker:
        """The ranker with the search in the index of this catalogue."""
        if self._index is None:
            return ranker
        return ranker.with_search(lambda texts: self._index_scores(texts, within))

    def _index_scores(self, texts: Sequence[str], within: frozenset[str] | None) -> NDArray[np.float64]:
        assert self._index is not None  # `_bound` looks
        return index_scores(self._index(), self.domain, self.ranker.place, texts, within)

    def _by_ranks(
        self, ranker: Ranker, requests: Sequence[RankRequest], within: frozenset[str] | None, k: int | None
    ) -> list[RankedItems]:
        past = [at for at, one in enumerate(requests) if one.history or (one.attributes and not one.words)]
        scores = self._past_scores(ranker, [requests[at] for at in past]) if past else ()
        rows = dict(zip(past, scores, strict=True))
        return [self._fused(one, rows.get(at), within, k) for at, one in enumerate(requests)]

    @staticmethod
    def _past_scores(ranker: Ranker, requests: Sequence[RankRequest]) -> Scores:
        """[requests, items] by their histories; a ranker that heeds wishes hears of their words as well."""
        histories, stated = [one.history for one in requests], [one.attributes for one in requests]
        if not isinstance(ranker, HeedsWishes):
            return ranker.score_users(histories, stated)
        every = [ranker.item_ids] * len(requests)
        rows = ranker.score_wishes(histories, every, [one.words for one in requests])
        return np.array(rows, np.float64).reshape(len(requests), len(ranker.item_ids))

    def _fused(
        self, request: RankRequest, row: Scores | None, within: frozenset[str] | None, k: int | None
    ) -> RankedItems:
        """By the history, by the words, or by both."""
        if row is not None and not request.words:
            return self._best(row, request, within, k)
        pool = max(_POOL, k or len(self.ranker.item_ids) // 10)
        hits = self._searched(request, pool, within)
        if row is not None:
            past = self._best(row, request, within, pool).items
            ids = {"history": [one.item_id for one in past], "words": [one.item_id for one in hits]}
            fused = reciprocal_rank_fusion(ids)
            hits = [ScoredItem(item, fused[item]) for item in sorted(fused, key=lambda item: -fused[item])]
        every = np.zeros(len(self.ranker.item_ids))
        every[: len(hits)] = [one.score for one in hits]  # what was not found scores nothing
        return RankedItems(hits[:k], _threshold(every))

    def _searched(self, request: RankRequest, k: int, within: frozenset[str] | None) -> list[ScoredItem]:
        """The items that fit words: by BM25 where the ranker is that, else by the index."""
        text, absent = request.words, request.absent
        if isinstance(self.ranker, Bm25):
            return self.ranker.top_for_text(text, k, absent, within)
        if self._index is None:
            raise UserError(
                "queries need the index of the catalogue", hint="make the recommender from a catalogue"
            )
        hits = find_within(self._index(), text, self.domain, k, within, absent)
        return [ScoredItem(hit.item_id, hit.score) for hit in hits]

    def _best(
        self,
        row: Scores,
        request: RankRequest,
        within: frozenset[str] | None,
        k: int | None,
        able: NDArray[np.bool_] | None = None,
    ) -> RankedItems:
        """The best of a row of scores of the whole catalogue."""
        ids, mine = self.ranker.item_ids, self.ranker.allowed(within)
        mine[self.ranker.places_of(request.absent)] = False
        best = best_allowed(row, len(ids) if k is None else k, mine if able is None else mine & able)
        return RankedItems([ScoredItem(ids[at], float(row[at])) for at in best], _threshold(row))


def _threshold(row: Scores) -> float:
    """One standard deviation above the mean of the finite scores."""
    finite = row[np.isfinite(row)]
    return float(finite.mean() + finite.std()) if len(finite) else np.inf
