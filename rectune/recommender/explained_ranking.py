"""How an answer was ranked: by what, how well that did, and what each ranker contributed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from rectune.core.figures.fit import HistoryLength, RankerChoice
from rectune.rankers.base import Attributes
from rectune.rankers.chosen import ChosenRanker, ScorePart
from rectune.rankers.weighting import label_of

By = Literal["history", "words"]


@dataclass(frozen=True)
class RankedBy:
    """What ranked for one side of a request.

    Attributes:
        side: the history, or the words of the request.
        share: how much this side counts, of 1; None where both sides are fused by the ranks of the items.
        rankers: a ranker, or a fusion with its weights, in words.
        length: the length of histories that it was chosen for; None for words, and where nothing was chosen.
        cases: users that it was chosen on; 0 where it is a default, None where nothing was chosen.
        ndcg_at_10: its NDCG@10 on them, among the whole catalogue; None without such users.
        interval: the ends of its 95 % interval.
    """

    side: By
    share: float | None
    rankers: str
    length: HistoryLength | None = None
    cases: int | None = None
    ndcg_at_10: float | None = None
    interval: tuple[float, float] | None = None


@dataclass(frozen=True)
class ItemPart:
    """What one ranker contributes to the score of an item, for one side of the request."""

    side: By
    ranker: str
    weight: float
    standardised: float
    score: float


@dataclass(frozen=True)
class Ranking:
    """How the items of an answer were ranked.

    Attributes:
        by: what ranked, the history first.
        parts: item id -> what each ranker contributed; empty unless it was asked for, and where nothing was
            chosen. `weight` is of the score in standard deviations above the mean of the catalogue.
        model: what a language model did to the ranking; empty for nothing.
    """

    by: tuple[RankedBy, ...]
    parts: Mapping[str, tuple[ItemPart, ...]]
    model: str = ""


def chosen_ranking(
    ranker: ChosenRanker,
    history: Sequence[str],
    text: str,
    item_ids: Sequence[str],
    attributes: Attributes | None = None,
) -> Ranking:
    """What a choice ranked a history, words, or both by, and what each ranker contributed to these items."""
    share = ranker.history_share(history, text)
    by: list[RankedBy] = []
    parts: dict[str, list[ItemPart]] = {item: [] for item in item_ids}
    if share:
        length = ranker.length_of(history)
        past = _ranked_by("history", share, ranker.choice.histories[length])
        by.append(replace(past, length=length))
        _add(parts, "history", ranker.parts_of(history, list(parts), attributes) if parts else [])
    if share < 1:
        by.append(_ranked_by("words", 1 - share, ranker.choice.queries))
        _add(parts, "words", ranker.text_parts_of(text, list(parts)) if parts else [])
    return Ranking(tuple(by), {item: tuple(some) for item, some in parts.items()})


def _add(parts: Mapping[str, list[ItemPart]], side: By, found: Sequence[Sequence[ScorePart]]) -> None:
    for own, some in zip(parts.values(), found, strict=True):
        own += [ItemPart(side, one.ranker, one.weight, one.standardised, one.score) for one in some]


def _ranked_by(side: By, share: float, choice: RankerChoice) -> RankedBy:
    label, measured = label_of(choice.chosen), choice.measured
    if measured is None:
        return RankedBy(side, share, label, cases=0)
    return RankedBy(side, share, label, None, choice.cases, measured.ndcg_at_10, measured.interval)
