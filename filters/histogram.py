"""Histograms of response scores: as PNG, and as text for a terminal."""

from __future__ import annotations

import math
import typing
from collections.abc import Sequence
from pathlib import Path

from rectune.core.extras import needs_extra
from rectune.core.plots import write_png

if typing.TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    from matplotlib.axes import Axes

    Numbers = Sequence[float] | npt.NDArray[np.float64]
    Counts = Sequence[int] | npt.NDArray[np.int64]
    Column = npt.NDArray[np.float64]

KEPT, DROPPED = "#4477aa", "#ee6677"  # Tol's bright palette: apart for colour-blind eyes too
_BINS = 40
_LINES = 16  # about, in the terminal
_WIDTH = 78  # columns of the terminal that are used
_EIGHTHS = " ▏▎▍▌▋▊▉█"


@needs_extra("a chart")
def histogram_png(
    scores: Numbers, threshold: float, title: str, path: Path, *, tokenizer: str, counts: Counts | None = None
) -> None:
    """Draw a histogram of the scores, with the threshold; rows without a score are left out.

    Args:
        tokenizer: the name of the tokenizer, on which scores depend.
        counts: how many texts have each score; by default one each.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6, 3.2), dpi=110, layout="constrained")
    axes = figure.add_subplot()
    _draw(axes, *_scored(scores, counts), threshold)
    axes.set_xlabel(f"response score ln(L)·L/C, tokens of {tokenizer}", parse_math=False)
    axes.set_title(title, parse_math=False)
    write_png(figure, path)


def _scored(scores: Numbers, counts: Counts | None) -> tuple[Column, Column]:
    import numpy as np

    values = np.asarray(scores, dtype=np.float64)
    weights = np.ones(len(values)) if counts is None else np.asarray(counts, dtype=np.float64)
    there = np.isfinite(values)
    return values[there], weights[there]


def _draw(axes: Axes, scores: Column, counts: Column, threshold: float) -> None:
    import numpy as np

    most = max(threshold * 1.2, float(scores.max(initial=0.0)))
    top = min(most, threshold * 2)  # one outlier would squeeze all others into a bar
    scores = np.minimum(scores, top)
    edges = [top * step / _BINS for step in range(_BINS + 1)]
    parts = [scores < threshold, scores >= threshold]
    labels = [
        f"{word} ({counts[part].sum():.0f})"
        for word, part in zip(("kept", "dropped by the score"), parts, strict=True)
    ]
    axes.hist(
        [scores[part] for part in parts],
        bins=edges,
        weights=[counts[part] for part in parts],
        stacked=True,
        color=[KEPT, DROPPED],
        label=labels,
    )
    axes.axvline(threshold, color="black", linestyle="--", linewidth=1, label=f"threshold {threshold:g}")
    if most > top:
        axes.annotate(
            f"up to {most:.4g} →", (0.995, 0.02), xycoords="axes fraction", ha="right", fontsize="small"
        )
    axes.set_ylabel("responses")
    axes.legend(frameon=False, fontsize="small")


def histogram_text(scores: Numbers, threshold: float, counts: Counts | None = None) -> str:
    """The same for a terminal: one line per bin, solid below the threshold, shaded from it on.

    The threshold is an edge of the bins. The last bin is open if there are few outliers.

    Args:
        counts: how many texts have each score; by default one each.
    """
    import numpy as np

    values, weights = _scored(scores, counts)
    if not len(values):
        return "no scores"
    top = min(max(float(values.max()), threshold / 1000), 2 * threshold)
    below = max(1, math.ceil(threshold * _LINES / top))  # bins below the threshold, if all were shown
    step = threshold / below
    lines = min(2 * below, math.floor(top / step) + 1)
    places = np.minimum((values / step).astype(np.int64), lines - 1)
    # As in the rule, whatever the rounding of the division.
    places = np.where(values < threshold, np.minimum(places, below - 1), np.maximum(places, below))
    sums = np.bincount(places, weights=weights, minlength=lines).astype(np.int64).tolist()
    digits = max(0, 1 - math.floor(math.log10(step)))
    labels = [f"{place * step:6.{digits}f} – {(place + 1) * step:.{digits}f}" for place in range(len(sums))]
    if values.max() >= len(sums) * step:
        labels[-1] = f"{(len(sums) - 1) * step:6.{digits}f} and above"
    return "\n".join(_lines(labels, sums, below, f"threshold {threshold:g}"))


def _lines(labels: Sequence[str], sums: Sequence[int], below: int, rule: str) -> list[str]:
    left, right = max(map(len, labels)), max(len(f"{count:,}") for count in sums)
    room = _WIDTH - left - right - 4
    lines = [
        f"{label:<{left}}  {_bar(count / max(sums) * room, place >= below):<{room}}  {count:>{right},}"
        for place, (label, count) in enumerate(zip(labels, sums, strict=True))
    ]
    lines.insert(below, f"{'':>{left}}  {f'── {rule} ':─<{room}}")
    return lines


def _bar(length: float, shaded: bool) -> str:
    """A bar of this width in columns, to an eighth; small values are still visible."""
    if not length:
        return ""
    if shaded:
        return "░" * max(1, round(length))
    full, eighths = divmod(max(1, round(length * 8)), 8)
    return "█" * full + _EIGHTHS[eighths].strip()
