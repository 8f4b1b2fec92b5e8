"""A bar chart as numbers for an SVG: all sizes are attributes, since the page allows no inline styles."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

WIDTH, HEIGHT, GAP = 560, 120, 6


@dataclass(frozen=True)
class Bar:
    """One bar: where it stands, how high it is, and what it says."""

    x: float
    y: float
    width: float
    height: float
    name: str
    count: int


def bars(rows: Sequence[tuple[str, int]]) -> list[Bar]:
    """A bar for each name and count, side by side in a field of `WIDTH` x `HEIGHT`.

    The highest fills the field; what is not 0 is at least 2 high, so that it is seen.
    """
    most, step = max((count for _, count in rows), default=0), WIDTH / max(1, len(rows))
    heights = [max(2.0, HEIGHT * count / most) if count else 0.0 for _, count in rows]
    return [
        Bar(
            round(at * step + GAP / 2, 1),
            round(HEIGHT - height, 1),
            round(step - GAP, 1),
            round(height, 1),
            *row,
        )
        for at, (row, height) in enumerate(zip(rows, heights, strict=True))
    ]
