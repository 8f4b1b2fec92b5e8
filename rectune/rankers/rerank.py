"""Re-ordering the first items of a ranking by how likely a language model is to name each of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from rectune.core.figures.record import Interval
from rectune.core.figures.rerank import MeasuredWeight
from rectune.core.stats.metrics import ndcg_at
from rectune.core.types import Item, Locale
from rectune.rankers.base import ScoredItem, Scores
from rectune.rankers.choose_weights import FEWEST, cross_fitted, resampled
from rectune.rankers.likelihood import Likelihood, RenderedPrompt, Scorer, history_prompts, without_history
from rectune.rankers.weighting import standardised

STEPS = tuple(step / 10 for step in range(1, 11))  # weights of the model that are tried
PRIOR = 1.0  # how much of the likelihood without a history is taken off

# Histories and candidates -> the scores of each case's candidates, as `CandidateScorer.score`.
ScoreTitles = Callable[[Sequence[Sequence[str]], Sequence[Sequence[str]]], list[Scores]]


@dataclass(frozen=True)
class TitleScores:
    """Scores the titles of items of one domain for histories: the likelihood less the prior.

    Attributes:
        open_engine: opens the engine of the language model, for each call.
        titles: by item id.
        asked: words the prompt for a history.
        on_case: hears of every finished history.
        known: the prior of every title that was scored, by the language of the prompt: for all histories it
            is the same.
    """

    open_engine: Callable[[], AbstractContextManager[Scorer]]
    titles: Mapping[str, str] = field(repr=False)
    asked: Callable[[Sequence[str]], RenderedPrompt] = field(repr=False)
    on_case: Callable[[int], None] = lambda done: None
    known: dict[tuple[Locale, str], float] = field(default_factory=dict, repr=False)

    def __call__(
        self, histories: Sequence[Sequence[str]], candidates: Sequence[Sequence[str]]
    ) -> list[Scores]:
        """See `ScoreTitles`."""
        with self.open_engine() as engine:
            return self._scored(engine, histories, candidates)

    def with_engine(self, open_engine: Callable[[], AbstractContextManager[Scorer]]) -> TitleScores:
        """The same by another engine with the same model; both share the priors that they find."""
        return replace(self, open_engine=open_engine)

    def of_items(self, items: Sequence[Item]) -> TitleScores:
        """The same of another catalogue of the same domain."""
        return title_scores(self.open_engine, items, self.on_case)

    def _scored(
        self, engine: Scorer, histories: Sequence[Sequence[str]], candidates: Sequence[Sequence[str]]
    ) -> list[Scores]:
        likelihood = Likelihood("likelihood", engine, self.titles, self.asked, self.on_case)
        own = likelihood.score(histories, candidates)
        prior = Likelihood("prior", engine, self.titles, without_history(self.asked))
        found: list[Scores] = []
        for history, shown, scores in zip(histories, candidates, own, strict=True):
            locale = self.asked(history).locale
            if new := [item for item in shown if (locale, item) not in self.known]:
                (base,) = prior.score([history], [new])
                self.known.update(((locale, item), float(one)) for item, one in zip(new, base, strict=True))
            found.append(scores - PRIOR * np.array([self.known[locale, item] for item in shown]))
        return found


def title_scores(
    open_engine: Callable[[], AbstractContextManager[Scorer]],
    items: Sequence[Item],
    on_case: Callable[[int], None] = lambda done: None,
) -> TitleScores:
    """What scores the titles of items of one domain for histories; see `TitleScores`.

    Args:
        open_engine: opens the engine of the language model, for each call.
        items: the catalogue.
        on_case: hears of every finished history.
    """
    titles = {item.item_id: item.title for item in items}
    return TitleScores(open_engine, titles, history_prompts(items[0].domain, titles), on_case)


@dataclass(frozen=True)
class Reranker:
    """Re-orders the first items of a ranking.

    Attributes:
        titles: scores the titles of items for histories.
        weight: of the standardised scores of the titles beside those of the ranking, 0 to 1.
        candidates: how many of the first items are re-ordered.
    """

    titles: ScoreTitles
    weight: float
    candidates: int

    def with_engine(self, open_engine: Callable[[], AbstractContextManager[Scorer]]) -> Reranker:
        """The same by another engine with the same model; a function that asks no engine stays as it is."""
        if isinstance(self.titles, TitleScores):
            return replace(self, titles=self.titles.with_engine(open_engine))
        return self

    def of_items(self, items: Sequence[Item]) -> Reranker:
        """The same of another catalogue of the same domain; a function stays as it is."""
        if isinstance(self.titles, TitleScores):
            return replace(self, titles=self.titles.of_items(items))
        return self

    def rerank(
        self, histories: Sequence[Sequence[str]], ranked: Sequence[Sequence[ScoredItem]]
    ) -> list[list[ScoredItem]]:
        """The same items in another order; those behind the first `candidates` keep their places.

        Scores belong to places: the first item has the highest score of the ranking, whichever it is.

        Args:
            histories: n lists of item ids; a ranking for an empty one stays as it is.
            ranked: n rankings, the best first.
        """
        able = [at for at, history in enumerate(histories) if history and len(ranked[at]) > 1]
        if not able or not self.weight:
            return [list(row) for row in ranked]
        heads = [list(ranked[at][: self.candidates]) for at in able]
        scores = self.titles([histories[at] for at in able], [[one.item_id for one in row] for row in heads])
        found = [list(row) for row in ranked]
        for at, head, own in zip(able, heads, scores, strict=True):
            fused = fused_scores(np.array([one.score for one in head]), own, self.weight)
            order = np.argsort(-fused, kind="stable")
            found[at][: len(head)] = [
                ScoredItem(head[place].item_id, one.score) for place, one in zip(order, head, strict=True)
            ]
        return found


def fused_scores(ranking: Scores, titles: Scores, weight: float) -> Scores:
    """Both standardised over the same items, weighted."""
    result: Scores = weight * standardised(titles) + (1 - weight) * standardised(ranking)
    return result


def measured_weight(ranks: Sequence[NDArray[np.int64]], weights: Sequence[float]) -> MeasuredWeight:
    """The weight to use: the best one, if it surely helps users that it was not chosen on.

    Args:
        ranks: [n] the ranks of the targets, by weight; the first are those without the model.
        weights: 0 first.
    """
    table = np.stack(ranks)
    gains = ndcg_at(table, 10)
    best = weights[int(gains.mean(axis=1).argmax())]
    differences = ndcg_at(cross_fitted(table), 10) - gains[0]
    interval: Interval = resampled(table.shape[1]).interval(differences)
    sure = table.shape[1] >= FEWEST and interval[0] > 0
    return MeasuredWeight(
        weight=best if sure else 0.0, best=best, difference=float(differences.mean()), interval=interval
    )
