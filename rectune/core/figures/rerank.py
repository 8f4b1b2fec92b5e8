"""What the stage `rerank` measures: how much a language model counts beside the chosen ranker."""

from __future__ import annotations

from typing import ClassVar

from rectune.core.figures.record import Count, Interval, Record, Share, StageRecord


class MeasuredWeight(Record):
    """One use of the language model beside the ranker, and what it does on validation users."""

    weight: Share
    """How much it counts; 0 where it does not surely help."""
    best: Share
    """The weight with the best NDCG@10, whether sure or not."""
    difference: float
    """NDCG@10 with the model less that without it, each user under the weight that is best for the others."""
    interval: Interval
    """Its 95 % interval (bootstrap over users)."""


class DomainRerank(Record):
    """One domain."""

    cases: Count
    """Validation users: in no test, and in no training of the model."""
    ndcg_at_10: Share | None
    """NDCG@10 of the chosen ranker alone, over the whole catalogue; None without users."""
    likelihood: MeasuredWeight | None
    """Re-ordering the ranker's first items by the likelihood of their titles; None where not measured."""
    draft: MeasuredWeight | None
    """Searching the index for what the model writes (HyDE); None where not measured."""


class RerankFigures(StageRecord):
    """The stage `rerank`."""

    stage: ClassVar[str] = "rerank"

    candidates: Count
    """How many of the ranker's first items the model re-orders."""
    prior: Share
    """How much of a title's likelihood without any history is taken off."""
    domains: dict[str, DomainRerank]
    """By domain."""
