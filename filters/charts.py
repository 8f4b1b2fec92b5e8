"""Charts of the filter: score by length, drop rate by length, overlap of rules."""

from __future__ import annotations

import math
import typing
from collections.abc import Mapping, Sequence
from pathlib import Path

from rectune.core.extras import needs_extra
from rectune.core.figures.data import LengthBucket
from rectune.core.plots import write_png
from rectune.filters.histogram import DROPPED, KEPT

if typing.TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from rectune.filters.rules.base import Column, Ints, Mask

_BY_SCORE = "#aa3377"  # of the same palette as the others
_POINTS = 3000  # rows that are still drawn as points; more are drawn as a density
_DPI = 130


def score_by_length(tokens: Ints, score: Column, dropped: Mask, threshold: float, path: Path) -> None:
    """Scatter plot of tokens and scores, with the threshold and ln(L), the minimum score at each length.

    Args:
        tokens, score, dropped: n rows; those without a score are left out.
    """
    import numpy as np

    scored = np.isfinite(score)
    tokens, score, dropped = tokens[scored], score[scored], dropped[scored]
    top = max(threshold * 1.3, min(float(score.max(initial=0)) * 1.05, threshold * 3))
    shown = score <= top
    longest = max(2, int(tokens[shown].max(initial=2)))
    figure, axes = _canvas((7.0, 4.0))
    if shown.sum() > _POINTS:
        places = tokens[shown], score[shown]
        density = axes.hexbin(*places, gridsize=60, bins="log", mincnt=1, cmap="cividis", linewidths=0.1)
        figure.colorbar(density, ax=axes, label="responses")
    else:
        _points(axes, tokens, score, dropped)
    lengths = np.linspace(1, longest, 200)
    axes.plot(lengths, np.log(lengths), "k:", linewidth=1, label="ln(L): no token twice")
    axes.axhline(threshold, color="black", linestyle="--", linewidth=1, label=f"threshold {threshold:g}")
    axes.set_ylim(0, top)
    axes.set_xlim(0, longest * 1.03)
    if beyond := len(score) - int(shown.sum()):
        words = f"{beyond:,} above {top:.0f} ↑"
        axes.annotate(words, (0.99, 0.97), xycoords="axes fraction", ha="right", va="top", fontsize="small")
    axes.set_xlabel("length L of the response (tokens)")
    axes.set_ylabel("response score ln(L)·L/C")
    _legend(axes)
    write_png(figure, path)


def _points(axes: Axes, tokens: Ints, score: Column, dropped: Mask) -> None:
    for rows, colour, sign, words in ((~dropped, KEPT, "o", "kept"), (dropped, DROPPED, "x", "dropped")):
        label = f"{words} ({rows.sum():,})"
        axes.scatter(tokens[rows], score[rows], s=14, c=colour, marker=sign, linewidths=0.9, label=label)


def drop_rate(lengths: Sequence[LengthBucket], path: Path) -> None:
    """The share of dropped rows by length, for any reason and by score; `lengths` as in the figures."""
    figure, axes = _canvas((8.2, 3.4))
    places = range(len(lengths))
    for counts, words, colour, side in (
        ([bucket.dropped for bucket in lengths], "dropped for any reason", DROPPED, -0.2),
        ([bucket.dropped_by_score for bucket in lengths], "dropped by the score", _BY_SCORE, 0.2),
    ):
        shares = [100 * n / of.rows if of.rows else 0.0 for n, of in zip(counts, lengths, strict=True)]
        axes.bar([place + side for place in places], shares, 0.4, color=colour, label=words)
    names = [f"{bucket_name(bucket)}\n{bucket.rows:,}" for bucket in lengths]
    axes.set_xticks(places, names, fontsize="x-small")
    axes.set_ylim(0, 100)
    axes.set_xlabel("length of the response (tokens), and responses of that length")
    axes.set_ylabel("dropped (%)")
    _legend(axes)
    write_png(figure, path)


def overlap(counts: Mapping[str, Mapping[str, int]], path: Path) -> None:
    """The number of rows that two rules both drop; on the diagonal all that a rule drops."""
    import numpy as np

    names = list(counts)
    table = np.array([[counts[one][other] for other in names] for one in names], dtype=float)
    side = 2.0 + 0.42 * len(names)
    figure, axes = _canvas((side + 0.6, side))
    shown = np.ma.masked_equal(np.log1p(table), 0)
    axes.imshow(shown, cmap="cividis", vmin=0)
    axes.set_xticks(range(len(names)), names, rotation=45, ha="right", rotation_mode="anchor")
    axes.set_yticks(range(len(names)), names)
    axes.grid(visible=False)
    edges = [place + 0.5 for place in range(len(names) - 1)]
    axes.set_xticks(edges, minor=True)
    axes.set_yticks(edges, minor=True)
    axes.grid(which="minor", color="white", linewidth=1.5)
    axes.tick_params(which="both", length=0)
    half = math.log1p(float(table.max())) / 2
    for row, column in zip(*np.nonzero(table), strict=True):
        count = table[row, column]
        colour = "black" if math.log1p(count) > half else "white"
        axes.text(column, row, _short(count), ha="center", va="center", color=colour, fontsize="small")
    axes.set_title("rows dropped by both rules", fontsize="medium")
    write_png(figure, path)


def bucket_name(bucket: LengthBucket) -> str:
    """A bucket of lengths in tokens: `40–59`, or `400+` without an end."""
    return f"{bucket.start}+" if bucket.end is None else f"{bucket.start}–{bucket.end - 1}"


def _short(count: float) -> str:
    return f"{count:.0f}" if count < 10_000 else f"{count / 1000:.0f}k"


@needs_extra("a chart")
def _canvas(size: tuple[float, float]) -> tuple[Figure, Axes]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=size, dpi=_DPI, layout="constrained", facecolor="white")
    axes = figure.add_subplot()
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(alpha=0.25)
    axes.set_axisbelow(True)
    return figure, axes


def _legend(axes: Axes) -> None:
    axes.legend(
        frameon=False,
        fontsize="small",
        loc="lower left",
        bbox_to_anchor=(0.0, 1.0),
        ncols=4,
        borderaxespad=0.1,
    )
