"""How many answers got positive feedback: by strategy, and by the ranker where two are compared.

An answer is positive where its user liked or opened (`like`, `click`) at least one of its items, and that
feedback names the answer. Counted are answers that were given to a user and hold an item. Feedback is a
state: what was taken back counts no more, and a like that is given again counts for the answer that it names
last.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Float, and_, case, cast, exists, func, select
from sqlalchemy.orm import Session

from rectune.core.stats.intervals import difference_of_shares, wilson
from rectune.serving.store.tables import Feedback, FeedbackType, Recommendation, RecommendedItem

POSITIVE: tuple[FeedbackType, ...] = ("like", "click")
ENOUGH = 30  # people of each arm, below which nothing is said of a difference


@dataclass(frozen=True)
class StrategyRate:
    """Of one strategy: answers, those that were positive, and how many people got them."""

    strategy: str
    answers: int
    positive: int
    people: int

    @property
    def rate(self) -> float:
        """The share of answers that were positive."""
        return self.positive / self.answers

    @property
    def interval(self) -> tuple[float, float]:
        """95 %, Wilson; it takes answers for independent, which those of one person are not quite."""
        return wilson(self.positive, self.answers)


@dataclass(frozen=True)
class ArmRate:
    """Of one arm of an experiment.

    Attributes:
        arm: its ranker.
        people: who got an answer by it.
        answers, positive: all of theirs.
        shares: the sum over people of the share of their answers that were positive.
    """

    arm: str
    people: int = 0
    answers: int = 0
    positive: int = 0
    shares: float = 0.0

    @property
    def rate(self) -> float:
        """The mean over people of the share of their answers that were positive; 0 without people."""
        return self.shares / self.people if self.people else 0.0

    @property
    def interval(self) -> tuple[float, float]:
        """95 %, Wilson with people as the units: each counts once, whatever they asked."""
        return wilson(self.shares, self.people)


@dataclass(frozen=True)
class ArmDifference:
    """Of two arms, second less first: the difference of their rates, and its 95 % interval (Newcombe).

    Attributes:
        value: of the rates.
        interval: its ends.
        enough: whether each arm has `ENOUGH` people.
    """

    value: float
    interval: tuple[float, float]
    enough: bool

    @property
    def found(self) -> bool:
        """Whether there is a difference: enough people, and an interval without 0."""
        low, high = self.interval
        return self.enough and (low > 0 or high < 0)

    @classmethod
    def of(cls, first: ArmRate, second: ArmRate) -> ArmDifference | None:
        """The difference; None while one of them has nobody."""
        if not (first.people and second.people):
            return None
        value, interval = difference_of_shares((second.shares, second.people), (first.shares, first.people))
        return cls(value, interval, min(first.people, second.people) >= ENOUGH)


def strategy_rates(session: Session) -> list[StrategyRate]:
    """Of every strategy that has an answer, by name."""
    rows = (
        select(
            Recommendation.strategy,
            func.count(),
            func.sum(_is_positive()),
            func.count(Recommendation.user_id.distinct()),
        )
        .where(*_counted())
        .group_by(Recommendation.strategy)
        .order_by(Recommendation.strategy)
    )
    return [StrategyRate(*row) for row in session.execute(rows).tuples()]


def arm_rates(session: Session, experiment: str) -> dict[str, ArmRate]:
    """Of every arm of an experiment that has an answer."""
    own = (
        select(
            Recommendation.arm.label("arm"),
            func.count().label("answers"),
            func.sum(_is_positive()).label("positive"),
        )
        .where(Recommendation.experiment == experiment, *_counted())
        .group_by(Recommendation.arm, Recommendation.user_id)
        .subquery()
    )
    share = cast(own.c.positive, Float) / own.c.answers
    rows = select(
        own.c.arm, func.count(), func.sum(own.c.answers), func.sum(own.c.positive), func.sum(share)
    ).group_by(own.c.arm)
    found = [ArmRate(arm, people, int(answers), int(positive), float(shares))
             for arm, people, answers, positive, shares in session.execute(rows).tuples()]  # fmt: skip
    return {one.arm: one for one in found}


def _counted() -> tuple[ColumnElement[bool], ...]:
    shows = exists().where(RecommendedItem.recommendation_id == Recommendation.id)
    return Recommendation.user_id.is_not(None), shows


def _is_positive() -> Any:
    """1 or 0."""
    shown = and_(
        RecommendedItem.recommendation_id == Feedback.recommendation_id,
        RecommendedItem.item_id == Feedback.item_id,
    )
    liked = (
        select(Feedback.id)
        .join(RecommendedItem, shown)
        .where(
            Feedback.recommendation_id == Recommendation.id,
            Feedback.user_id == Recommendation.user_id,
            Feedback.type.in_(POSITIVE),
        )
        .correlate(Recommendation)
    )
    return case((liked.exists(), 1), else_=0)
