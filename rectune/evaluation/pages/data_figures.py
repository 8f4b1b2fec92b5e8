"""Charts of the data: history lengths, popularity, values, and the mixture that was wanted and got."""

from __future__ import annotations

import itertools
import math
import typing
from collections.abc import Mapping, Sequence
from pathlib import Path

from rectune.core.extras import needs_extra
from rectune.core.figures.statistics import PartStatistics
from rectune.core.text.translation import ENGLISH, Translation
from rectune.core.types import Split
from rectune.evaluation.pages.data import DataSummary, MixtureRow
from rectune.evaluation.pages.figures import BLUE, GREEN, GREY, ORANGE, PURPLE, drawable, save

if typing.TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_LINES = (BLUE, ORANGE, GREEN, PURPLE, "#E69F00", "#56B4E9", "#000000", GREY)
_DASHES = ("-", "--", ":", "-.")
_ACROSS = 4  # small multiples a line
_TITLE = 28  # characters of a small multiple's title


def draw(
    data: DataSummary, folder: Path, tr: Translation = ENGLISH, labels: Translation = ENGLISH
) -> dict[str, str]:
    """Draw all that the data gives; returns what each PNG shows, by file name.

    Domains have their charts, and the categories of all domains have theirs (`…_categories.png`).

    Args:
        data: what is drawn.
        folder: of the PNG files.
        tr: the language of what is returned.
        labels: the language of the charts; see `rectune.core.plots.labels_in`.
    """
    domains = [row for row in data.domains if row.interactions]
    categories = [row for domain in domains for row in domain.categories if row.interactions]
    drawn: dict[str, str] = {}
    for end, rows, of in (("", domains, tr("domain")), ("_categories", categories, tr("category"))):
        if rows:
            history_lengths(rows, folder / f"data_history{end}.png", labels)
            popularity(rows, folder / f"data_popularity{end}.png", labels)
            drawn[f"data_history{end}.png"] = tr("Lengths of users' histories, by {of}", of=of)
            drawn[f"data_popularity{end}.png"] = tr("Interactions of items by their rank, by {of}", of=of)
        if valued := [row for row in rows if row.values.bars]:
            values(valued, data.positive_threshold, folder / f"data_values{end}.png", labels)
            drawn[f"data_values{end}.png"] = tr(
                "Values of interactions, and what counts as liked, by {of}", of=of
            )
    if mixes := [mix for mix in data.mixture if not mix.category]:
        mixture(mixes, data.splits, folder / "data_mixture.png", labels)
        drawn["data_mixture.png"] = tr("Cases wanted and got, by dataset and split")
    return drawn


def history_lengths(rows: Sequence[PartStatistics], path: Path, tr: Translation) -> None:
    """Share of users by the length of their histories, in buckets that double: all interactions, and liked
    ones.
    """
    figure, panels = _multiples(
        rows,
        tr("interactions of a user (a bar: from its mark to below twice as many)"),
        tr("users (%)"),
    )
    last = max(bucket for row in rows for bucket, _ in row.history.all.buckets)
    places = [0, *(2**power for power in range(last.bit_length()))]
    for axes, row in zip(panels, rows, strict=True):
        lengths = row.history
        for kind, spread, colour, side in (
            (tr("all"), lengths.all, BLUE, -0.2),
            (tr("liked"), lengths.liked, ORANGE, 0.2),
        ):
            counts = dict(spread.buckets)
            users = sum(counts.values())
            shares = [100 * counts.get(place, 0) / users for place in places]
            axes.bar([n + side for n in range(len(places))], shares, 0.4, color=colour, label=kind)
        step = max(1, len(places) // 6)
        axes.set_xticks(range(0, len(places), step), [_short(place) for place in places[::step]])
    _legend(figure, panels[0])
    save(figure, path)


def popularity(rows: Sequence[PartStatistics], path: Path, tr: Translation) -> None:
    """Interactions of an item over its rank: a line a row, or a small multiple each where lines would be too
    many.
    """
    from matplotlib.ticker import NullFormatter

    together = len(rows) <= len(_LINES) and not any(row.category for row in rows)
    x, y = tr.each("item's rank by popularity", "interactions of the item")
    figure, panels = _single(x, y) if together else _multiples(rows, x, y)
    for place, row in enumerate(rows):
        axes = panels[0] if together else panels[place]
        style = {"color": _LINES[place], "linestyle": _DASHES[place % 4]} if together else {"color": BLUE}
        ranks, counts = zip(*row.popularity.ranks, strict=True)
        axes.loglog(ranks, counts, linewidth=1.6, label=_title(row), **style)
        axes.yaxis.set_minor_formatter(NullFormatter())
    for axes in panels:  # behind all lines: a limit ends the fitting of shared axes
        axes.set_ylim(bottom=0.8)
    if together:
        panels[0].legend(frameon=False, fontsize="small", loc="center left", bbox_to_anchor=(1.0, 0.5))
    save(figure, path)


def values(rows: Sequence[PartStatistics], liked: Mapping[str, float], path: Path, tr: Translation) -> None:
    """How values are spread, what counts as liked in another colour, and the recipe's threshold."""
    figure, panels = _multiples(
        rows,
        *tr.each("value (stars, points, hours played, clicks)", "interactions (%)"),
        share=False,
    )
    for axes, row in zip(panels, rows, strict=True):
        _values(axes, row, liked.get(row.domain), tr)
    _legend(figure, panels[0])
    save(figure, path)


def _values(axes: Axes, row: PartStatistics, threshold: float | None, tr: Translation) -> None:
    bars = row.values.bars
    whole = sum(liked + others for _, liked, others in bars)
    shares = [[100 * bar[part] / whole for bar in bars] for part in (1, 2)]
    if row.values.scale == "exact":
        places = [value for value, *_ in bars]
        gap = min((b - a for a, b in itertools.pairwise(places)), default=1.0)
        width, edge = 0.85 * gap, None if threshold is None else threshold - gap / 2
        axes.set_xlim(min(places) - gap, max(places) + gap)
    else:
        # A bar covers a power of two up to the next; what is 0 stands one further to the left.
        powers = [math.log2(value) if value > 0 else None for value, *_ in bars]
        least = min((power for power in powers if power is not None), default=0.0)
        places = [least - 0.5 if power is None else power + 0.5 for power in powers]
        width, edge = 0.85, math.log2(threshold) if threshold and threshold > 0 else None
        step = max(1, len(bars) // 5)
        ticks = [(place - 0.5, value) for place, (value, *_) in zip(places, bars, strict=True)][::step]
        axes.set_xticks([place for place, _ in ticks], [_short(value) for _, value in ticks])
    axes.bar(places, shares[1], width, color=GREY, label=tr("not liked"))
    axes.bar(places, shares[0], width, bottom=shares[1], color=BLUE, label=tr("liked"))
    if edge is not None and threshold is not None:
        axes.axvline(edge, color=ORANGE, linestyle="--", linewidth=1.3, label=tr("liked from here on"))
        liked_from = tr("liked from {value}", value=f"{threshold:g}")
        axes.set_title(f"{_title(row)}\n{liked_from}", fontsize=9, loc="left")


def mixture(mixes: Sequence[MixtureRow], splits: Sequence[Split], path: Path, tr: Translation) -> None:
    """Cases wanted and got: a panel a split, two bars a dataset."""
    figure = _figure(1.6 + 0.42 * len(mixes), 8.0)
    panels = figure.subplots(1, len(splits), sharey=True, squeeze=False)[0]
    for axes, split in zip(panels, splits, strict=True):
        for name, label, colour, side in (
            ("wanted", tr("wanted"), GREY, 0.2),
            ("got", tr("got"), BLUE, -0.2),
        ):
            counts = [getattr(mix, name).get(split, 0) for mix in reversed(mixes)]
            axes.barh([place + side for place in range(len(mixes))], counts, 0.4, color=colour, label=label)
        axes.set_title(split, fontsize=9, loc="left")
        axes.set_xlabel(tr("cases"))
        axes.locator_params(axis="x", nbins=4, integer=True)
        _plain(axes)
    names = [drawable(mix.source, 2 * _TITLE) for mix in reversed(mixes)]
    panels[0].set_yticks(range(len(mixes)), names)
    _legend(figure, panels[0])
    save(figure, path)


@needs_extra("a chart")
def _figure(height: float, width: float) -> Figure:
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), dpi=144, layout="constrained", facecolor="white")


def _multiples(
    rows: Sequence[PartStatistics], x: str, y: str, *, share: bool = True
) -> tuple[Figure, list[Axes]]:
    """A figure with one panel a row; `share` gives all panels the same scales."""
    across = min(_ACROSS, len(rows))
    down = -(-len(rows) // across)
    figure = _figure(1.0 + 1.7 * down, max(4.5, 2.4 * across))
    grid = [
        axes
        for line in figure.subplots(down, across, sharex=share, sharey=share, squeeze=False)
        for axes in line
    ]
    for axes in grid[len(rows) :]:
        axes.set_visible(False)
    for axes, row in zip(grid, rows, strict=False):
        axes.set_title(_title(row), fontsize=9, loc="left")
        _plain(axes)
    for place in range(max(0, len(rows) - across), len(rows)):
        grid[place].tick_params(labelbottom=True)  # the lowest of its column, were the line below it not full
    figure.supxlabel(x, fontsize=10)
    figure.supylabel(y, fontsize=10)
    return figure, grid[: len(rows)]


def _single(x: str, y: str) -> tuple[Figure, list[Axes]]:
    figure = _figure(3.6, 7.0)
    axes = figure.add_subplot()
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    _plain(axes)
    return figure, [axes]


def _plain(axes: Axes) -> None:
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(labelsize=8)
    axes.grid(alpha=0.25)
    axes.set_axisbelow(True)


def _legend(figure: Figure, axes: Axes) -> None:
    """One legend for all panels, above them."""
    handles, labels = axes.get_legend_handles_labels()
    figure.legend(
        handles, labels, frameon=False, fontsize="small", ncols=len(labels), loc="outside upper right"
    )


def _title(row: PartStatistics) -> str:
    return drawable(row.category or row.domain, _TITLE)


def _short(number: float) -> str:
    """A number for an axis: 512, 16k, 2M, 0.25."""
    for size, letter in ((1e6, "M"), (1e3, "k")):
        if number >= size:
            return f"{number / size:.0f}{letter}"
    return f"{number:.3g}" if number < 1 else f"{number:.0f}"
