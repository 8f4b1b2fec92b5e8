"""The picture of `bench.cold_start`: NDCG@10 by the number of users that rankers learnt from."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from bench.cold_start_tables import BASE, FIGURES, Curves, Mean
from rectune.core.plots import write_png

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Colours that people tell apart whatever colours they see (Okabe and Ito 2008, "Color universal design").
STYLES = {
    "chosen": ("what rectune chooses", "#000000", "o"),
    "ease": ("EASE", "#0072b2", "s"),
    "als": ("ALS", "#56b4e9", "D"),
    "item_knn": ("item-kNN", "#009e73", "^"),
    "sasrec": ("SASRec", "#d55e00", "v"),
    "sasrec_text": ("SASRec + text", "#e69f00", "P"),
    "popularity": ("popularity", "#7f7f7f", "x"),
    BASE: ("hybrid: no users needed", "#aa3377", ""),
}
_WIDTH, _HEIGHT, _DPI = 8.0, 3.6, 100  # inches, those of one panel; dots an inch
_GAP = 0.062  # between two labels, of the height of a panel
_FIGURE = "ndcg"


def spread(wanted: Sequence[float], gap: float) -> list[float]:
    """Places from 0 to 1, near to what is wanted, at least a gap apart, in the order of what is wanted.

    Places are even where they do not fit with this gap.
    """
    if not wanted:
        return []
    order = np.argsort(wanted, kind="stable")
    gap = min(gap, 1 / max(len(wanted) - 1, 1))
    found = np.clip(np.asarray(wanted, np.float64)[order], 0, 1)
    for at in range(1, len(found)):
        found[at] = max(found[at], found[at - 1] + gap)
    found[-1] = min(found[-1], 1.0)
    for at in range(len(found) - 2, -1, -1):
        found[at] = min(found[at], found[at + 1] - gap)
    places = np.empty(len(found))
    places[order] = np.maximum(found, 0.0)
    return [float(one) for one in places]


def draw_picture(curves: Sequence[Curves], path: Path) -> None:
    """Write the picture, a panel a dataset; those without a line have none."""
    from matplotlib.figure import Figure

    shown = [own for own in curves if own.sizes]
    figure = Figure(figsize=(_WIDTH, 0.4 + _HEIGHT * len(shown)), dpi=_DPI, facecolor="white")
    panels = figure.subplots(len(shown), 1, squeeze=False)[:, 0]
    for axes, own in zip(panels, shown, strict=True):
        _panel(axes, own)
    figure.subplots_adjust(left=0.085, right=0.76, top=1 - 0.35 / figure.get_figheight(), hspace=0.34)
    figure.subplots_adjust(bottom=0.52 / figure.get_figheight())
    write_png(figure, path)


def _panel(axes: Axes, own: Curves) -> None:
    sizes, none = own.sizes, own.sizes[0] / 4  # where 0 users stand on an axis of logarithms
    axes.set_xscale("log")
    ends: list[tuple[str, float, float]] = []
    for ranker in reversed(STYLES):
        points = _points(own, ranker, none)
        if points:
            xs, means = zip(*points, strict=True)
            _line(axes, ranker, xs, means)
            ends.append((ranker, xs[-1], means[-1].mean))
    axes.set_xlim(none * 0.85, sizes[-1] * 1.06)
    axes.set_ylim(bottom=0)
    axes.set_xticks([none, *sizes], ["0", *(f"{size:,}" for size in sizes)], fontsize=9)
    axes.minorticks_off()
    axes.axvline((none * sizes[0]) ** 0.5, color="#bbbbbb", linewidth=0.8, linestyle=":")
    axes.tick_params(axis="y", labelsize=9)
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="y", alpha=0.25)
    axes.set_title(f"{own.dataset}: {FIGURES[_FIGURE]}, {own.tests} new users", fontsize=10, loc="left")
    axes.set_xlabel("users whose likes were learnt from", fontsize=9)
    _labels(axes, ends)


def _points(own: Curves, ranker: str, none: float) -> list[tuple[float, Mean]]:
    """Where a line goes: that of `BASE` from end to end; what is served begins at `BASE`."""
    found = [(float(size), own.mean(ranker, size, _FIGURE)) for size in own.sizes]
    if found[0][1] and ranker in (BASE, "chosen"):
        found.insert(0, (none, own.mean(BASE, 0, _FIGURE)))
    return [(x, mean) for x, mean in found if mean is not None]


def _line(axes: Axes, ranker: str, xs: Sequence[float], means: Sequence[Mean]) -> None:
    _, colour, marker = STYLES[ranker]
    main = ranker in (BASE, "chosen")
    axes.plot(
        xs,
        [one.mean for one in means],
        color=colour,
        marker=marker,
        markersize=4.5,
        linewidth=2.4 if main else 1.4,
        linestyle="--" if ranker == BASE else "-",
        zorder=3 if main else 2,
    )
    axes.fill_between(
        xs, [one.low for one in means], [one.high for one in means], color=colour, alpha=0.1, linewidth=0
    )


def _labels(axes: Axes, ends: Sequence[tuple[str, float, float]]) -> None:
    """The name of each line beside its end, moved apart, with a thin line from the end to the name."""
    left, right = np.log(axes.get_xlim())
    low, high = axes.get_ylim()
    wanted = [(y - low) / (high - low) for _, _, y in ends]
    for (ranker, x, _), at, place in zip(ends, wanted, spread(wanted, _GAP), strict=True):
        label, colour, _ = STYLES[ranker]
        along = (np.log(x) - left) / (right - left)
        axes.annotate(
            label,
            xy=(along, at),
            xytext=(1.03, place),
            xycoords="axes fraction",
            textcoords="axes fraction",
            color=colour,
            fontsize=9,
            fontweight="bold" if ranker == "chosen" else "normal",
            va="center",
            arrowprops={
                "arrowstyle": "-",
                "color": colour,
                "linewidth": 0.6,
                "alpha": 0.6,
                "relpos": (0, 0.5),
            },
            annotation_clip=False,
        )
