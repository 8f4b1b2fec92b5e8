"""The report's charts: labelled axes with units, colours the colour-blind can tell apart (Okabe and Ito)."""

from __future__ import annotations

import typing
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rectune.core.extras import needs_extra
from rectune.core.figures.evaluation import PairedDifference, RankingFigures
from rectune.core.plots import write_png
from rectune.core.text.translation import ENGLISH, Translation

if typing.TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

BLUE, ORANGE, GREEN, PURPLE, GREY = "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#666666"
_WIDE = (7.0, 3.4)  # inches


def loss_curve(metrics: Sequence[dict[str, Any]], path: Path, tr: Translation = ENGLISH) -> bool:
    """Training loss over optimizer steps; returns False, and draws nothing, where none was logged."""
    points = series(metrics, "loss")
    if not points:
        return False
    title, x = tr("Supervised fine-tuning"), tr("optimizer step")
    figure, axes = _canvas(title, x, tr("loss (nats per response token)"))
    axes.plot(*zip(*points, strict=True), color=BLUE, marker="o", markersize=3, linewidth=1.4)
    _whole_steps(axes)
    return save(figure, path)


def reward_margins(metrics: Sequence[dict[str, Any]], path: Path, tr: Translation = ENGLISH) -> bool:
    """DPO's implicit rewards of chosen and rejected answers, and their margin, over optimizer steps."""
    wanted = (
        ("rewards/chosen", tr("chosen"), GREEN, "--"),
        ("rewards/rejected", tr("rejected"), ORANGE, ":"),
    )
    margins = series(metrics, "rewards/margins")
    if not margins:
        return False
    figure, axes = _canvas("DPO", tr("optimizer step"), tr("implicit reward (beta x nats)"))
    axes.axhline(0.0, color=GREY, linewidth=0.8)
    axes.plot(
        *zip(*margins, strict=True), color=BLUE, marker="o", markersize=3, linewidth=1.6, label=tr("margin")
    )
    for key, label, colour, style in wanted:
        if points := series(metrics, key):
            axes.plot(*zip(*points, strict=True), color=colour, linestyle=style, linewidth=1.4, label=label)
    axes.legend(frameon=False, loc="lower right", bbox_to_anchor=(1.0, 1.0), ncols=3, borderaxespad=0.0)
    _whole_steps(axes)
    return save(figure, path)


def hit_chart(
    systems: Mapping[str, RankingFigures], chance: float, path: Path, tr: Translation = ENGLISH
) -> None:
    """Hit@1 with its 95 % interval, a line a system, and chance as a dashed line."""
    figure, axes = _canvas(
        "Hit@1", tr("share of users whose next item is ranked first"), "", height=1.2 + 0.42 * len(systems)
    )
    shown = list(systems.items())[::-1]
    for place, (_, row) in enumerate(shown):
        axes.plot(list(row.interval), [place, place], color=BLUE, linewidth=2.2, solid_capstyle="butt")
        axes.plot([row.hit_at_1], [place], color=BLUE, marker="o", markersize=7)
    axes.axvline(
        chance, color=ORANGE, linestyle="--", linewidth=1.2, label=tr("chance {share}", share=f"{chance:.3f}")
    )
    axes.legend(frameon=False, loc="lower right", bbox_to_anchor=(1.0, 1.0), borderaxespad=0.0)
    axes.set_yticks(range(len(shown)), [f"{drawable(name)} (n={row.n})" for name, row in shown])
    axes.set_ylim(-0.6, len(shown) - 0.4)
    axes.set_xlim(0.0, max(0.2, *(row.interval[1] for row in systems.values())) * 1.05)
    write_png(figure, path)


def difference_chart(pairs: Sequence[PairedDifference], path: Path, tr: Translation = ENGLISH) -> bool:
    """Hit@1 of each system less that of `embedding_best`, with its 95 % interval, and no difference as a
    dashed line.
    """
    shown = [row for row in pairs if row.against == "embedding_best"]
    if not shown:
        return False
    title = tr("Hit@1 less that of the best match by embedding")
    figure, axes = _canvas(title, tr("difference on the same cases"), "", height=1.2 + 0.42 * len(shown))
    for place, row in enumerate(reversed(shown)):
        axes.plot(list(row.interval), [place, place], color=BLUE, linewidth=2.2, solid_capstyle="butt")
        axes.plot([row.difference], [place], color=BLUE, marker="o", markersize=7)
    axes.axvline(0.0, color=ORANGE, linestyle="--", linewidth=1.2)
    axes.set_yticks(range(len(shown)), [drawable(row.system) for row in reversed(shown)])
    axes.set_ylim(-0.6, len(shown) - 0.4)
    return save(figure, path)


def series(metrics: Sequence[dict[str, Any]], key: str) -> list[tuple[float, float]]:
    """(step, value) of one logged figure; entries of other figures are left out."""
    return [(float(entry["step"]), float(entry[key])) for entry in metrics if key in entry]


@needs_extra("a chart")
def _canvas(title: str, x: str, y: str, height: float = _WIDE[1]) -> tuple[Figure, Axes]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(_WIDE[0], height), dpi=144, layout="constrained", facecolor="white")
    axes = figure.add_subplot()
    axes.set_title(title, loc="left", fontsize=11)
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(alpha=0.25)
    return figure, axes


def _whole_steps(axes: Axes) -> None:
    from matplotlib.ticker import MaxNLocator

    axes.xaxis.set_major_locator(MaxNLocator(integer=True))


def save(figure: Figure, path: Path) -> bool:
    """Write the chart; returns True, for callers that say whether they drew."""
    write_png(figure, path)
    return True


@needs_extra("a chart")
def drawable(text: str, longest: int = 40) -> str:
    """At most `longest` characters, with a box for each that the charts' fonts lack (Hangul, emoji)."""
    import matplotlib
    from matplotlib.font_manager import FontProperties, findfont, get_font

    shortened = text if len(text) <= longest else text[: longest - 1] + "…"
    found = [findfont(FontProperties(family=[family])) for family in matplotlib.rcParams["font.family"]]
    fonts = [get_font(path).get_charmap() for path in found]
    drawn = (letter if any(ord(letter) in font for font in fonts) else "\u25a1" for letter in shortened)
    safe = "".join(drawn)
    return safe.replace("$", r"\$")  # a dollar sign would start mathematics
