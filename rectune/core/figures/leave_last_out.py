"""What the stage `leave_last_out` measures."""

from __future__ import annotations

from typing import Any, ClassVar

from rectune.core.figures.record import Count, MeanInterval, Record, Share, StageRecord


class LeaveLastOutSystem(Record):
    """One ranker on the last like of every user, among all items but the user's other likes."""

    parameters: dict[str, Any]
    """The arguments of its constructor; empty: its defaults."""
    validation_ndcg_at_10: Share
    """NDCG@10 of the users' second last likes, by which the parameters are chosen."""
    hit_at_10: MeanInterval
    """HR@10: the share of the users whose last like is among the first 10; bootstrap over users."""
    ndcg_at_10: MeanInterval
    """NDCG@10 of the last like; bootstrap over users."""


class LeaveLastOutDomain(Record):
    """One domain."""

    users: Count
    """Users with a like."""
    tested: Count
    """Those with three likes or more, whose last one is ranked; all likes of the others are for training."""
    items: Count
    """Items of the catalogue."""
    interactions: Count
    """Likes, each user and item once."""
    training: Count
    """Likes that the rankers are fitted on."""
    same_time: Count
    """Tested users whose last two likes have the same time: their order is that of the files."""
    systems: dict[str, LeaveLastOutSystem]
    """By ranker, in the order of the recipe."""


class LeaveLastOutFigures(StageRecord):
    """The stage `leave_last_out`."""

    stage: ClassVar[str] = "leave_last_out"

    domains: dict[str, LeaveLastOutDomain]
    """By domain."""
    unlike_published: tuple[str, ...]
    """Where the data differ from those of the published figures, in words; empty where they do not, or where
    their size is not stated.
    """
