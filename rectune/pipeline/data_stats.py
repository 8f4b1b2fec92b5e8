"""`rectune data stats`: the statistics of a recipe's data as tables, and their charts as PNG files."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from rectune.core.artifacts import ArtifactStore
from rectune.core.figures.statistics import PartStatistics
from rectune.core.finished_stages import FinishedStages
from rectune.core.text.plain import printable
from rectune.core.text.tables import Table, nested
from rectune.core.types import Split
from rectune.evaluation.pages.data import DataSummary, MixtureRow, read_data
from rectune.evaluation.pages.data_figures import draw
from rectune.evaluation.pages.data_tables import tables
from rectune.pipeline.run import RunOptions, run_pipeline

_WIDTH = 120  # columns
_NAME = 29  # columns
_BLOCKS = " ▁▂▃▄▅▆▇█"


def data_stats(recipe: Path, overrides: Sequence[str], out: Path, store: ArtifactStore) -> str:
    """Run the pipeline up to the stage `data`, print its statistics, and draw the charts into `out`.

    Raises:
        UserError: what the data stage raises.
    """
    folder = run_pipeline(RunOptions(recipe, overrides, "data"), store)["data"]
    data = read_data(FinishedStages({"data": folder}))
    charts = draw(data, out)
    return "\n\n".join([*_report(data), f"data: {folder}", _where(charts, out)])


def _report(data: DataSummary) -> Iterable[str]:
    for table in tables(data):
        yield _text(table)
    yield _histogram(data.rows)
    yield _drops(data)
    if data.mixture:
        yield _mixture(data)


def _text(table: Table) -> str:
    """The table, numbers right-aligned; long names are cut if it would be too wide."""
    rows = [tuple(map(str, row)) for row in (table.heads, *table.rows)]
    widths = [max(map(len, cells)) for cells in zip(*rows, strict=True)][1:]
    names = [
        f"  {row[0].removeprefix(nested(''))}" if row[0].startswith(nested("")) else row[0] for row in rows
    ]
    room = max(_WIDTH - sum(width + 2 for width in widths), 12)
    first = min(_NAME, room, max(map(len, names)))
    lines = [
        _fitted(name, first)
        + "".join(f"  {cell:>{width}}" for cell, width in zip(row[1:], widths, strict=True))
        for name, row in zip(names, rows, strict=True)
    ]
    return "\n".join([table.title.upper(), *lines])


def _fitted(text: str, width: int) -> str:
    text = printable(text)
    return f"{text if len(text) <= width else text[: width - 1] + '…':<{width}}"


def _histogram(rows: Sequence[PartStatistics]) -> str:
    """A line a row: how many users have 0, 1, 2 to 3, 4 to 7 … interactions; the tallest block is most."""
    last = max((bucket for row in rows for bucket, _ in row.history.all.buckets), default=1)
    places = [0, *(2**power for power in range(last.bit_length()))]
    lines = [
        f"HISTORY LENGTHS: users with 0, 1, 2, 4, 8 … up to {places[-1]:,} and more interactions; liked ones"
    ]
    for row in rows:
        name = ("  " if row.category else "") + (row.category or row.domain)
        bars = [_blocks(spread.buckets, places) for spread in (row.history.all, row.history.liked)]
        lines.append(f"{_fitted(name, _NAME)}  all |{bars[0]}|  liked |{bars[1]}|")
    return "\n".join(lines)


def _blocks(buckets: Iterable[tuple[int, int]], places: Sequence[int]) -> str:
    counts = dict(buckets)
    tallest = max(counts.values(), default=1)
    # Rounded up: a bucket with one user is not empty.
    return "".join(_BLOCKS[-(-8 * counts.get(place, 0) // tallest)] for place in places)


def _drops(data: DataSummary) -> str:
    if not data.drops:
        return "LEFT OUT ON READING: nothing"
    lines = ["LEFT OUT ON READING"]
    for drop in data.drops:
        lines.append(f"{_fitted(drop.dataset, 14)}  {drop.count:>12,}  {printable(drop.reason)}")
        lines += [f"{'':<30}{printable(f'first: {place}')}" for place in drop.first]
    return "\n".join(_fitted(line, _WIDTH).rstrip() for line in lines)


def _mixture(data: DataSummary) -> str:
    splits = data.splits
    lines = [
        "CASES",
        _fitted("source", _NAME) + "".join(f"{split + ': wanted':>19}{'got':>9} " for split in splits),
    ]
    for mix in data.mixture:
        lines.append(_fitted(("  " if mix.category else "") + mix.source, _NAME) + _cells(mix, splits))
    if any(mix.got.get(split, 0) < count for mix in data.mixture for split, count in mix.wanted.items()):
        lines.append("! fewer than wanted")
    return "\n".join(line.rstrip() for line in lines)


def _cells(mix: MixtureRow, splits: Sequence[Split]) -> str:
    cells = []
    for split in splits:
        got = mix.got.get(split, 0)
        wanted = None if mix.category else mix.wanted.get(split, 0)
        short = wanted is not None and got < wanted
        cells.append(f"{'' if wanted is None else f'{wanted:,}':>19}{got:>9,}{'!' if short else ' '}")
    return "".join(cells)


def _where(charts: Iterable[str], out: Path) -> str:
    names = list(charts)
    return "\n".join(["charts:", *(f"  {out / name}" for name in names)]) if names else "no charts"
