"""Borderline rows for a person to read: the worst kept and the best dropped ones by response score."""

from __future__ import annotations

import typing
from collections.abc import Sequence
from pathlib import Path

from rectune.core.figures.data import BorderlineRow, BorderlineRows
from rectune.core.rows import read_batches
from rectune.core.types import Example
from rectune.filters.apply_rules import Verdicts

if typing.TYPE_CHECKING:
    from rectune.filters.rules.base import Ints, Mask

COUNT = 20


def borderline(verdicts: Verdicts, examples: Path) -> BorderlineRows:
    """At most `COUNT` of the worst that were kept and of the best that were dropped; ties by id.

    Args:
        examples: the file of the examples that were judged, in the verdicts' order.
    """
    kept = verdicts.kept
    worst, best = _first(verdicts, kept, -1.0), _first(verdicts, ~kept, 1.0)
    texts = _texts(examples, {*worst, *best})
    return BorderlineRows(
        worst_kept=tuple(_row(verdicts, place, texts[place]) for place in worst),
        best_dropped=tuple(_row(verdicts, place, texts[place]) for place in best),
    )


def _first(verdicts: Verdicts, wanted: Mask, sign: float) -> list[int]:
    import numpy as np

    places: Ints = np.flatnonzero(wanted & np.isfinite(verdicts.score))
    ids = np.array([verdicts.ids[place] for place in places], dtype=str)
    return [int(place) for place in places[np.lexsort((ids, sign * verdicts.score[places]))[:COUNT]]]


def _texts(examples: Path, wanted: set[int]) -> dict[int, str]:
    found, start = dict[int, str](), 0
    for columns in read_batches(examples, Example):
        inside: Sequence[int] = [place for place in wanted if start <= place < start + columns.num_rows]
        for place in inside:
            found[place] = columns.column("response")[place - start].as_py()
        start += columns.num_rows
    return found


def _row(verdicts: Verdicts, place: int, text: str) -> BorderlineRow:
    return BorderlineRow(
        id=verdicts.ids[place],
        domain=verdicts.domains[place],
        score=round(float(verdicts.score[place]), 3),
        tokens=int(verdicts.tokens[place]),
        reasons=tuple(verdicts.reasons(place)),
        response=text,
    )
