"""metrics.jsonl: one line per logged step, flushed at once, and no duplicates after a resume."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rectune.core.extras import needs_extra
from rectune.core.figures.training import LossFigures
from rectune.core.plots import write_png

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Row = dict[str, Any]


@dataclass
class TokenMeter:
    """Tokens without padding: `total` of the whole run over all processes, `here` of this one so far."""

    total: int
    here: int = 0

    def add(self, tokens: int) -> None:
        """Count a micro-batch."""
        self.here += tokens


def append(path: Path, row: Row) -> None:
    """Add a line and force it to disk."""
    with path.open("a", encoding="utf-8") as stream:
        stream.write(json.dumps(row) + "\n")
        stream.flush()
        os.fsync(stream.fileno())


def read(path: Path) -> list[Row]:
    """All whole lines; a last line that a kill cut short is left out."""
    rows = []
    for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else []:
        try:
            rows.append(json.loads(line))
        except json.JSONDecodeError:
            break
    return rows


def trim(path: Path, last_step: int) -> None:
    """Keep the lines up to `last_step`; later steps will be run again."""
    kept = [row for row in read(path) if row["step"] <= last_step]
    partial = path.with_name(path.name + ".partial")
    with partial.open("w", encoding="utf-8") as stream:
        stream.writelines(json.dumps(row) + "\n" for row in kept)
        stream.flush()
        os.fsync(stream.fileno())
    partial.replace(path)


def last(path: Path) -> list[Row]:
    """The rows of the last step that has any."""
    rows = read(path)
    return [row for row in rows if row["step"] == rows[-1]["step"]]


def losses(rows: Sequence[Row]) -> list[float]:
    """The training losses, in order."""
    return [row["loss"] for row in rows if "loss" in row]


def summary(rows: Sequence[Row]) -> LossFigures:
    """Steps, first and last loss, tokens (without padding) and tokens per second over all attempts.

    Held-out losses are separate rows; the first and the last of them are None where there are none.
    """
    seconds = sum(row.get("seconds", 0.0) for row in rows)
    tokens = sum(row.get("tokens", 0) for row in rows)
    logged, held_out = losses(rows), [row["eval_loss"] for row in rows if "eval_loss" in row]
    return LossFigures(
        steps=rows[-1]["step"],
        first_loss=logged[0],
        last_loss=logged[-1],
        tokens_seen=tokens,
        tokens_per_second=round(tokens / seconds, 1) if seconds else 0.0,
        first_eval_loss=held_out[0] if held_out else None,
        last_eval_loss=held_out[-1] if held_out else None,
    )


def draw(path: Path, rows: Sequence[Row], curves: Sequence[str], label: str) -> None:
    """Plot columns of the metrics over the optimiser steps as PNG; rows without a column are skipped."""
    figure = _figure(3.6)
    axes = figure.subplots()
    _plot(axes, rows, {curve: curve for curve in curves}, label)
    axes.set_xlabel("optimiser step")
    write_png(figure, path)


def draw_training(path: Path, rows: Sequence[Row]) -> None:
    """Plot the loss on what is trained on and on what is held out, and below it the learning rate, as PNG."""
    figure = _figure(4.8)
    above, below = figure.subplots(2, sharex=True, height_ratios=(3, 1))
    held_out = {"eval_loss": "held-out users"} if any("eval_loss" in row for row in rows) else {}
    _plot(above, rows, {"loss": "training batches"} | held_out, "loss (nats a response token)")
    _plot(below, rows, {"learning_rate": "learning rate"}, "learning rate")
    below.ticklabel_format(axis="y", style="sci", scilimits=(0, 0))
    below.set_xlabel("optimiser step")
    write_png(figure, path)


@needs_extra("a chart")
def _figure(height: float) -> Figure:
    from matplotlib.figure import Figure

    return Figure(figsize=(6.4, height), layout="constrained")


def _plot(axes: Axes, rows: Sequence[Row], curves: dict[str, str], label: str) -> None:
    from matplotlib.ticker import MaxNLocator

    for curve, name in curves.items():
        points = [(row["step"], row[curve]) for row in rows if curve in row]
        marker = "o" if curve.startswith("eval") else "."
        axes.plot([x for x, _ in points], [y for _, y in points], marker=marker, label=name)
    axes.set_ylabel(label)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.grid(alpha=0.3)
    if len(curves) > 1:
        axes.legend()
