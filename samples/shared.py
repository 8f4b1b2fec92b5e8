"""What the writers share."""

import csv
from collections.abc import Iterable, Sequence
from pathlib import Path

from samples.taste import World

Record = dict[str, object]


def write_lines(path: Path, lines: Iterable[str]) -> None:
    """One record a line."""
    path.write_text("".join(line + "\n" for line in lines), encoding="utf-8", newline="\n")


def write_csv(path: Path, header: Sequence[str], rows: Iterable[Sequence[object]], end: str = "\n") -> None:
    """A comma-separated file that quotes only where it must, as all three publishers do."""
    with path.open("w", encoding="utf-8", newline="") as out:
        writer = csv.writer(out, lineterminator=end)
        writer.writerow(header)
        writer.writerows(rows)


def values_of(world: World, index: int) -> list[float]:
    """The published values that an item got."""
    return [act.value for act in world.acts if act.item == index]


def mean(values: list[float]) -> float:
    """The average, 0 of nothing."""
    return sum(values) / len(values) if values else 0.0
