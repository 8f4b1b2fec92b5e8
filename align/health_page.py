"""The health check as files: health.json, health.md and health.png; and its warnings in the log."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rectune.align.health import PreferenceHealth
from rectune.align.pair_measures import MEASURES, ChosenRejectedMeans, Sides
from rectune.core.artifacts import write_atomically
from rectune.core.extras import needs_extra
from rectune.core.figures.preferences import HealthReport, Measure
from rectune.core.plots import write_png
from rectune.core.progress import say
from rectune.core.text.markdown import escaped, joined
from rectune.core.text.tables import Table

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_BINS = 24


def write_health(out: Path, health: PreferenceHealth) -> None:
    """Write the three files and print the warnings."""
    write_atomically(out / HealthReport.file, health.report().to_json())
    write_atomically(out / "health.md", markdown(health))
    draw(out / "health.png", health)
    words = health.sides["words"]
    say(
        f"preferences: {health.pairs} pairs of {health.prompts} prompts; words chosen {words.chosen:.0f}, "
        f"rejected {words.rejected:.0f}; names an item: chosen {health.sides['names_item'].chosen:.0%}, "
        f"rejected {health.sides['names_item'].rejected:.0%}"
    )
    if "ranking" in health.sources:
        say(f"preferences: {health.sources['ranking']} pairs made for ranking beside them")
    for warning in health.warnings:
        say(f"preferences: {warning}")


def markdown(health: PreferenceHealth) -> str:
    """A table and the warnings, for a report or a card."""
    longer, places = health.chosen_longer, health.places
    lines = [
        f"- The chosen answer is the longer one in {longer.share:.0%} of the pairs "
        f"({longer.low:.0%} to {longer.high:.0%})."
    ]
    for word, found in (("best", places.best), ("worst", places.worst)):
        if found:
            lines.append(f"- The {word} by its place as shown: {list(found.counts)}, p = {found.p:.3f}.")
    counted = (f"{name.replace('_', ' ')} {count}" for name, count in health.counts)
    lines.append(f"- Counted: {', '.join(counted)}.")
    lines += [f"- Refused: {escaped(text)}." for text in health.refused]
    lines += [f"- Warning: {escaped(text)}." for text in health.warnings]
    parts = [f"{health.pairs} pairs of {health.prompts} prompts.", _table(health.sides)]
    if health.ranking_sides:
        count = health.sources["ranking"]
        said = f"Beside them {count} pairs made for ranking, from interactions."
        parts += [said, _table(health.ranking_sides)]
    return joined(*parts, "\n".join(lines)) + "\n"


def _table(sides: Sides) -> str:
    heads = ("measure", "chosen", "rejected", "difference (95 % interval)")
    return Table(heads, [_row(MEASURES[name], side) for name, side in sides.items()]).to_markdown()


def _row(name: str, side: ChosenRejectedMeans) -> tuple[str, ...]:
    gap = side.gap
    interval = "" if gap.low != gap.low else f" ({gap.low:+.2f} to {gap.high:+.2f})"
    return name, f"{side.chosen:.2f}", f"{side.rejected:.2f}", f"{gap.mean:+.2f}{interval}"


@needs_extra("a chart")
def draw(path: Path, health: PreferenceHealth) -> None:
    """Lengths and scores of both sides, the places of the picks, and who names an item, as PNG."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8.0, 6.0), layout="constrained")
    (lengths, scores), (places, named) = figure.subplots(2, 2)
    _histogram(lengths, health, "words")
    _histogram(scores, health, "score")
    _bars(places, health)
    side = health.sides["names_item"]
    named.bar(["chosen", "rejected"], [side.chosen, side.rejected], color=["C0", "C1"])
    named.set_ylim(0, 1)
    named.set_ylabel(MEASURES["names_item"])
    write_png(figure, path)


def _histogram(axes: Axes, health: PreferenceHealth, name: Measure) -> None:
    both: Sequence[Sequence[float]] = [health.values[name][side] for side in ("chosen", "rejected")]
    axes.hist(both, bins=_BINS, label=["chosen", "rejected"], color=["C0", "C1"])
    axes.set_xlabel(MEASURES[name])
    axes.set_ylabel("pairs")
    axes.legend()


def _bars(axes: Axes, health: PreferenceHealth) -> None:
    axes.set_xlabel("place as shown")
    axes.set_ylabel("picks")
    for shift, word, picked in ((-0.2, "best", health.places.best), (0.2, "worst", health.places.worst)):
        counts = picked.counts if picked else ()
        axes.bar([place + 1 + shift for place in range(len(counts))], counts, width=0.4, label=word)
    if health.places.best:
        axes.legend()
    else:
        axes.set_title("too few tags to tell", fontsize="small")
