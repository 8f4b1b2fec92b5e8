"""What the tables of the stage `data` hold, as the report and `rectune data stats` count it from them."""

from __future__ import annotations

from typing import Literal

from rectune.core.figures.record import Count, NonNegative, Record, Share


class Spread(Record):
    """How the lengths of users' histories are spread; quantiles are None where there are no users."""

    min: Count | None
    """The shortest, in interactions."""
    quartiles: tuple[NonNegative | None, NonNegative | None, NonNegative | None]
    """The lower quartile, the median and the upper quartile, in interactions."""
    p90: NonNegative | None
    """What 90 % of the users do not exceed, in interactions."""
    p99: NonNegative | None
    """What 99 % of the users do not exceed, in interactions."""
    max: Count | None
    """The longest, in interactions."""
    buckets: tuple[tuple[Count, Count], ...]
    """(from, users) of the lengths 0, 1, 2 to 3, 4 to 7, 8 to 15 …; those without users are not in it."""


class Histories(Record):
    """The histories of users."""

    all: Spread
    """Of all interactions."""
    liked: Spread
    """Of those that are liked."""


class TopShares(Record):
    """The share of the interactions that the most popular items hold; None where no item was met."""

    percent_1: Share | None
    """The most popular 1 % of the items that were met."""
    percent_10: Share | None
    """The most popular 10 %."""
    percent_20: Share | None
    """The most popular 20 %."""


class Popularity(Record):
    """How unevenly interactions lie on the items that were met."""

    top: TopShares
    """What the most popular ones hold."""
    gini: Share | None
    """Gini's coefficient: 0 where all are equally popular; None where no item was met."""
    ranks: tuple[tuple[Count, Count], ...]
    """(rank from 1, interactions) at ranks that are spread evenly on a logarithmic scale."""


class TextCounts(Record):
    """What items say of themselves."""

    description: Count
    """Items with a description."""
    categories: Count
    """Items with categories."""
    year: Count
    """Items with a year."""
    title_length: NonNegative
    """The mean length of the titles, in characters."""


class ValueCounts(Record):
    """How values are spread."""

    scale: Literal["exact", "log2"]
    """Whether values are counted as they are, or in powers of two."""
    bars: tuple[tuple[float, Count, Count], ...]
    """(value, liked interactions, others), values rising; what is no finite number is not in it."""


class PartStatistics(Record):
    """A domain, or one category of it."""

    domain: str
    """The domain."""
    category: str
    """The category; empty for the domain as a whole."""
    items: Count
    """Items."""
    users: Count
    """Users."""
    interactions: Count
    """Interactions."""
    liked: Count
    """Those that are liked."""
    kinds: dict[str, Count]
    """Interactions by kind, the most frequent first."""
    with_value: Count
    """Interactions with a value."""
    with_time: Count
    """Interactions with a time."""
    first: str | None
    """The first day (UTC); None without times."""
    last: str | None
    """The last day (UTC); None without times."""
    repeated: Count
    """Interactions of a user with an item that he or she has met before."""
    density: Share
    """Pairs of user and item that met, of all pairs."""
    items_seen: Count
    """Items with an interaction."""
    history: Histories
    """Lengths of histories."""
    popularity: Popularity
    """Popularity of items."""
    text: TextCounts
    """What items say of themselves."""
    values: ValueCounts
    """Values of interactions."""


class DomainStatistics(PartStatistics):
    """A domain with its categories."""

    categories: tuple[PartStatistics, ...]
    """Its categories; empty where its publisher divides it into none."""
