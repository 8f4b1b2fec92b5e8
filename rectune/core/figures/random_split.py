"""What the stage `random_split` measures."""

from __future__ import annotations

from typing import Any, ClassVar

from rectune.core.figures.record import Count, MeanInterval, NonNegative, Record, StageRecord


class SplitFigures(Record):
    """A ranker's lists against some of the likes of users: means over users, bootstrap over users."""

    precision_at_10: MeanInterval
    """The share of the first 10 items that are among the likes."""
    auc: MeanInterval
    """The share of pairs of a like and an item that is none where the like scores higher; ties are a half."""


class RandomSplitSystem(Record):
    """One ranker."""

    parameters: dict[str, Any]
    """The arguments of its constructor; empty: its defaults."""
    fit_processor_seconds: NonNegative
    """Processor seconds that fitting took, of all threads; compiling is among them where it was needed."""
    train: SplitFigures
    """Likes for training, among all items."""
    test: SplitFigures
    """Likes for testing, among all items: the likes for training stand in their way."""
    test_unseen: SplitFigures
    """Likes for testing, among all items but the user's likes for training, as a service would list them."""


class RandomSplitDomain(Record):
    """One domain."""

    users: Count
    """Users with a like."""
    tested: Count
    """Users with a like for testing."""
    without_training: Count
    """Those of them without a like for training, who are scored with an empty history."""
    items: Count
    """Items of the catalogue."""
    training: Count
    """Likes for training."""
    testing: Count
    """Likes for testing."""
    systems: dict[str, RandomSplitSystem]
    """By ranker, in the order of the recipe."""


class RandomSplitFigures(StageRecord):
    """The stage `random_split`."""

    stage: ClassVar[str] = "random_split"

    domains: dict[str, RandomSplitDomain]
    """By domain."""
