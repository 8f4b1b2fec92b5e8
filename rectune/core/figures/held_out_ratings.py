"""What the stage `held_out_ratings` measures."""

from __future__ import annotations

from typing import Any, ClassVar

from rectune.core.figures.record import Count, MeanInterval, Record, StageRecord


class JudgedLists(Record):
    """The first k items of every user's list, judged by the user's held-out ratings of them."""

    promoters: Count
    """Items that their user gave 9 or 10 of 10, over all users."""
    passives: Count
    """Items that their user gave more than 6 and less than 9 of 10."""
    detractors: Count
    """Items that their user gave 6 of 10 or less."""
    score: MeanInterval
    """Promoters less detractors of a user's list, the mean over users: -k to k."""
    net_promoter: MeanInterval | None
    """Promoters less detractors, by all listed items with a held-out rating: -1 to 1. None if none has."""


class HeldOutRatingsSystem(Record):
    """One ranker."""

    parameters: dict[str, Any]
    """The arguments of its constructor; empty: its defaults."""
    lists: dict[str, JudgedLists]
    """By k."""


class HeldOutRatingsDomain(Record):
    """One domain."""

    scale: float
    """The highest rating of the scale: 5 or 10."""
    ratings: Count
    """Ratings, each user and item once."""
    held_out: Count
    """Those of them that are held out."""
    users: Count
    """Users who are judged: with a held-out rating, and a promoted item among the ratings that were kept."""
    without_history: Count
    """Users with a held-out rating, but no promoted item to start from; they are left out."""
    promoters: Count
    """Held-out ratings of these users of 9 or 10 of 10."""
    passives: Count
    """Held-out ratings of these users above 6 and below 9 of 10."""
    detractors: Count
    """Held-out ratings of these users of 6 of 10 or less."""
    systems: dict[str, HeldOutRatingsSystem]
    """By ranker, in the order of the recipe."""


class HeldOutRatingsFigures(StageRecord):
    """The stage `held_out_ratings`."""

    stage: ClassVar[str] = "held_out_ratings"

    domains: dict[str, HeldOutRatingsDomain]
    """By domain."""
