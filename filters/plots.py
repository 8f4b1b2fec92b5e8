"""Histograms of response scores: as PNG, and as text for a terminal."""

from __future__ import annotations

import math
import typing
from collections.abc import Sequence
from pathlib import Path

if typing.TYPE_CHECKING:
    from matplotlib.axes import Axes

_KEPT, _DROPPED = "#4477aa", "#ee6677"  # Tol's bright palette: apart for colour-blind eyes too
_BINS = 40


def histogram_png(scores: Sequence[float], threshold: float, title: str, path: Path) -> None:
    """Draw how the scores are spread, with the threshold; rows without a score are left out."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(6, 3.2), layout="constrained")
    _draw(axes, [score for score in scores if math.isfinite(score)], threshold)
    axes.set_title(title)
    figure.savefig(path, dpi=110)
    pyplot.close(figure)


def _draw(axes: Axes, scores: Sequence[float], threshold: float) -> None:
    top = max([threshold * 1.2, *scores])
    edges = [top * step / _BINS for step in range(_BINS + 1)]
    parts = [[s for s in scores if s < threshold], [s for s in scores if s >= threshold]]
    labels = [f"kept ({len(parts[0])})", f"dropped by the score ({len(parts[1])})"]
    axes.hist(parts, bins=edges, stacked=True, color=[_KEPT, _DROPPED], label=labels)
    axes.axvline(threshold, color="black", linestyle="--", linewidth=1, label=f"threshold {threshold:g}")
    axes.set_xlabel("response score ln(L)·L/C")
    axes.set_ylabel("responses")
    axes.legend(frameon=False, fontsize="small")


def histogram_text(scores: Sequence[float], threshold: float, width: int = 50, bins: int = 16) -> str:
    """The same for a terminal: a line a bin, the bins at or above the threshold marked with `x`."""
    finite = [score for score in scores if math.isfinite(score)]
    if not finite:
        return "no scores"
    step = max(threshold / (bins // 2), max(finite) / bins)
    counts = [0] * bins
    for score in finite:
        counts[min(int(score / step), bins - 1)] += 1
    tallest = max(counts)
    lines = []
    for place, count in enumerate(counts):
        mark = "x" if place * step >= threshold - 1e-9 else "#"
        bar = mark * math.ceil(width * count / tallest) if count else ""
        lines.append(f"{place * step:7.1f} {bar} {count}".rstrip())
    return "\n".join(lines)
