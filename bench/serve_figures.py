"""Figures of `bench.serve`: percentiles, goals, the table that is printed and the record that is written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from rectune.core.text.tables import NONE, Table


@dataclass(frozen=True)
class Figure:
    """A measured figure beside its goal.

    Attributes:
        part: of the benchmark.
        name: what was measured.
        value: None where nothing was.
        unit: of the value; empty for counts and ratios.
        most, least: the goal; without either the figure is only told.
    """

    part: str
    name: str
    value: float | None
    unit: str = ""
    most: float | None = None
    least: float | None = None

    @property
    def met(self) -> bool | None:
        """Whether the goal is met; None where there is none. What was not measured does not meet one."""
        if self.most is None and self.least is None:
            return None
        if self.value is None:
            return False
        high = self.most is None or self.value <= self.most
        return high and (self.least is None or self.value >= self.least)

    @property
    def goal(self) -> str:
        """The goal in words; empty where there is none."""
        bounds = (("at least", self.least), ("at most", self.most))
        return ", ".join(f"{word} {shown(bound)}" for word, bound in bounds if bound is not None)

    def record(self) -> dict[str, Any]:
        """The same for JSON."""
        return {**vars(self), "met": self.met}


def percentile(values: Sequence[float], percent: float) -> float | None:
    """The smallest value that so many percent of the values do not exceed; None where there are none.

    It is one of the values (the method `inverted_cdf` of numpy), so that a p99 of few values is the largest.
    """
    if not values:
        return None
    return float(np.percentile(values, percent, method="inverted_cdf"))


def percentiles(
    part: str, name: str, milliseconds: Sequence[float], p95_most: float | None = None
) -> list[Figure]:
    """p50, p95 and p99 of times; the goal is on the second one."""
    return [
        Figure(part, f"{name}: p{percent}", percentile(milliseconds, percent), "ms", most)
        for percent, most in ((50, None), (95, p95_most), (99, None))
    ]


def ratio(one: float, other: float) -> float | None:
    """One by the other; None where the other is 0."""
    return one / other if other else None


def table(figures: Sequence[Figure]) -> Table:
    """All figures, a row each, goals beside them."""
    rows = [
        [
            one.part,
            one.name,
            NONE if one.value is None else f"{shown(one.value)} {one.unit}".rstrip(),
            one.goal or NONE,
            {None: NONE, True: "yes", False: "no"}[one.met],
        ]
        for one in figures
    ]
    return Table(["part", "figure", "measured", "goal", "met"], rows, align="llrll")


def shown(value: float) -> str:
    """A number with three significant digits, or whole."""
    if value == round(value) or abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}"
