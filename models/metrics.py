"""metrics.jsonl: one line a logged step, on disk as soon as it is known, none twice after a resume."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

Row = dict[str, Any]


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
    """Keep what was logged up to `last_step`: later steps are about to be made again."""
    kept = [row for row in read(path) if row["step"] <= last_step]
    partial = path.with_name(path.name + ".partial")
    partial.write_text("".join(json.dumps(row) + "\n" for row in kept), encoding="utf-8")
    partial.replace(path)


def summary(rows: Sequence[Row]) -> Row:
    """Steps, first and last loss, tokens (padding left out) and tokens per second over all attempts."""
    seconds = sum(row["seconds"] for row in rows)
    tokens = sum(row["tokens"] for row in rows)
    return {
        "steps": rows[-1]["step"],
        "first_loss": rows[0]["loss"],
        "last_loss": rows[-1]["loss"],
        "tokens_seen": tokens,
        "tokens_per_second": round(tokens / seconds, 1) if seconds else 0.0,
    }


def draw(path: Path, rows: Sequence[Row], curves: Sequence[str], label: str) -> None:
    """Plot columns of the metrics over the optimiser steps as PNG; rows without a column are skipped."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.4, 3.6), layout="constrained")
    canvas = FigureCanvasAgg(figure)
    axes = figure.subplots()
    for curve in curves:
        points = [(row["step"], row[curve]) for row in rows if curve in row]
        axes.plot([x for x, _ in points], [y for _, y in points], marker=".", label=curve)
    axes.set_xlabel("optimiser step")
    axes.set_ylabel(label)
    axes.grid(alpha=0.3)
    if len(curves) > 1:
        axes.legend()
    partial = path.with_name(path.name + ".partial")
    canvas.print_png(str(partial))  # type: ignore[no-untyped-call]
    partial.replace(path)
