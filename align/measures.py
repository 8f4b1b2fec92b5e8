"""Means over pairs, and their intervals."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from statistics import fmean, stdev

from rectune.core.stats.intervals import Z


@dataclass(frozen=True)
class MeanWithInterval:
    """A mean with its interval of 95 %; the ends are NaN where there are fewer than two values."""

    mean: float
    low: float
    high: float

    @property
    def clear(self) -> bool:
        """Whether the interval leaves out 0."""
        return self.low > 0 or self.high < 0


def mean_of(values: Iterable[float], groups: Iterable[str]) -> MeanWithInterval:
    """The mean of the groups' means, and its interval by the normal approximation.

    Args:
        values: a figure a pair, at least one.
        groups: what each pair belongs to; pairs of one prompt are not independent and count as one value.
    """
    found: dict[str, list[float]] = {}
    for value, group in zip(values, groups, strict=True):
        found.setdefault(group, []).append(value)
    means = [fmean(row) for row in found.values()]
    middle = fmean(means)
    if len(means) < 2:
        return MeanWithInterval(middle, math.nan, math.nan)
    spread = Z * stdev(means) / math.sqrt(len(means))
    return MeanWithInterval(middle, middle - spread, middle + spread)
