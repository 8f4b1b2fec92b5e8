"""Figures in words, for reports and cards; what is absent is `NONE`."""

from __future__ import annotations

from rectune.core.figures.record import Interval, MeanInterval, ShareInterval
from rectune.core.stats.intervals import wilson
from rectune.core.text.tables import NONE
from rectune.core.text.translation import ENGLISH, Translation


def figure(value: float | None, *, signed: bool = False) -> str:
    """Three decimals."""
    if value is None:
        return NONE
    return f"{value:+.3f}" if signed else f"{value:.3f}"


def with_ends(value: float | None, ends: Interval | None, *, signed: bool = False) -> str:
    """`0.250 [0.125, 0.375]`; without brackets where there is no interval."""
    words = figure(value, signed=signed)
    if value is None or ends is None:
        return words
    low, high = (figure(end, signed=signed) for end in ends)
    return f"{words} [{low}, {high}]"


def mean_in_words(mean: MeanInterval, *, signed: bool = False) -> str:
    """[value, low, high, …] formatted; `NONE` for anything else."""
    ends = None if mean.low is None or mean.high is None else (mean.low, mean.high)
    return with_ends(mean.mean, ends, signed=signed)


def share_in_words(found: ShareInterval) -> str:
    """A share with its interval."""
    return with_ends(found.share, (found.low, found.high))


def share(value: float | None, n: int) -> str:
    """A share of n with its 95 % interval (Wilson); of nothing there is no share."""
    if value is None or n < 1:
        return NONE
    return with_ends(value, wilson(round(value * n), n))


def memory(count: int, tr: Translation = ENGLISH) -> str:
    """Bytes in GiB or MiB; zero means that it was not measured."""
    if not count:
        return tr("not measured")
    return f"{count / 2**30:.2f} GiB" if count >= 2**30 else f"{count / 2**20:.0f} MiB"


def percent(part: float | None, whole: float | None = 1.0) -> str:
    """`25.1 %`; `NONE` where either is missing, or the whole is nothing."""
    return f"{100 * part / whole:.1f} %" if part is not None and whole else NONE
