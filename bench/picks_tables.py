"""The tables of `bench.picks`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rectune.core.stats.metrics import UserBootstrap
from rectune.core.text.tables import Table

Floats = NDArray[np.float64]

_ROUNDS = 2000


@dataclass(frozen=True)
class Moment:
    """What was measured at one moment of every visit, [visitors] each.

    Attributes:
        at: as `3 ticks` or `12 items`.
        ndcg: NDCG@10 by ranker and system.
        effort: by system: the items shown for so many ticks, or the ticks that so many items got.
    """

    at: str
    ndcg: Mapping[tuple[str, str], Floats]
    effort: Mapping[str, Floats]


def table(domain: str, rankers: Sequence[str], moments: Sequence[Moment], users: Sequence[str]) -> Table:
    """A row for each ranker, moment and system, with its difference to the first system."""
    resampled = UserBootstrap(users, _ROUNDS, 0)
    rows = []
    for ranker in rankers:
        for moment in moments:
            first, *_ = moment.effort
            for system in moment.effort:
                values = moment.ndcg[ranker, system]
                less = moment.ndcg[ranker, first] - values
                compared = "" if system == first else _with_interval(less, resampled)
                effort = f"{moment.effort[system].mean():.1f}"
                rows.append(
                    [domain, ranker, moment.at, system, effort, _with_interval(values, resampled), compared]
                )
    unit = "items shown, or ticks"
    return Table(["domain", "ranker", "after", "asked about", unit, "NDCG@10", "picks less this"], rows)


def _with_interval(values: Floats, resampled: UserBootstrap) -> str:
    low, high = resampled.interval(values)
    return f"{values.mean():.3f} ({low:.3f} to {high:.3f})"
