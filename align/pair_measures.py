"""How chosen and rejected answers differ: length, repetition, response score, whether an item is named."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, stdev

from rectune.core.figures.preferences import Measure, PreferenceSides, SideMeans
from rectune.core.figures.record import MeanInterval
from rectune.core.stats.intervals import Z
from rectune.core.types import Preference
from rectune.filters.word_stats import repetition, word_score, words_of
from rectune.prompts.answers import read_answer
from rectune.prompts.title_index import TitleIndex

MEASURES: dict[Measure, str] = {
    "words": "words an answer",
    "repetition": "share of 3-word runs that came before",
    "score": "response score ln(L)*L/C, in words",
    "names_item": "share that recommends a real item",
}


@dataclass(frozen=True)
class MeanWithInterval:
    """A mean with its 95 % interval; the bounds are NaN for fewer than two values."""

    mean: float
    low: float
    high: float

    @property
    def clear(self) -> bool:
        """Whether the interval excludes 0."""
        return self.low > 0 or self.high < 0


def mean_of(values: Iterable[float], groups: Iterable[str]) -> MeanWithInterval:
    """The mean of the groups' means, and its interval by the normal approximation.

    Args:
        values: one figure per pair, at least one.
        groups: the group of each pair; pairs of one prompt are not independent and count as one value.
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


@dataclass(frozen=True)
class ChosenRejectedMeans:
    """One measure on both sides: means over the prompts, and the mean difference chosen - rejected."""

    chosen: float
    rejected: float
    gap: MeanWithInterval

    def rounded(self) -> SideMeans:
        """For the stage's figures, to six decimals."""
        low, high = (round(end, 6) if math.isfinite(end) else None for end in (self.gap.low, self.gap.high))
        gap = MeanInterval(mean=round(self.gap.mean, 6), low=low, high=high)
        return SideMeans(chosen=round(self.chosen, 6), rejected=round(self.rejected, 6), gap=gap)


Values = Mapping[Measure, Mapping[str, Sequence[float]]]  # of every pair, by measure and side
Sides = Mapping[Measure, ChosenRejectedMeans]


def values_of(pairs: Sequence[Preference], titles: Mapping[str, TitleIndex]) -> Values:
    """The measures of every pair.

    Args:
        pairs: any number.
        titles: of their domains.
    """

    def names_item(pair: Preference, text: str) -> float:
        known = titles[pair.prompt.domain]
        return float(read_answer(text, known, known.places(pair.prompt.candidates)).recommended is not None)

    measures: dict[Measure, Callable[[Preference, str], float]] = {
        "words": lambda _, text: float(len(words_of(text))),
        "repetition": lambda _, text: repetition(text),
        "score": lambda _, text: word_score(text),
        "names_item": names_item,
    }
    return {
        name: {
            "chosen": [measure(pair, pair.chosen) for pair in pairs],
            "rejected": [measure(pair, pair.rejected) for pair in pairs],
        }
        for name, measure in measures.items()
    }


def sides_of(values: Values, pairs: Sequence[Preference]) -> Sides:
    """Means over the prompts of the pairs; at least one pair."""
    groups = [pair.prompt.id for pair in pairs]
    return {name: _side(both["chosen"], both["rejected"], groups) for name, both in values.items()}


def rounded(sides: Sides) -> PreferenceSides:
    """For the stage's figures."""
    return PreferenceSides(**{name: side.rounded() for name, side in sides.items()})


def _side(chosen: Sequence[float], rejected: Sequence[float], groups: Sequence[str]) -> ChosenRejectedMeans:
    gaps = [a - b for a, b in zip(chosen, rejected, strict=True)]
    return ChosenRejectedMeans(
        mean_of(chosen, groups).mean, mean_of(rejected, groups).mean, mean_of(gaps, groups)
    )
