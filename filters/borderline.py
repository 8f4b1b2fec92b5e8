"""Borderline rows for a person to read: the worst kept and the best dropped ones by response score."""

from __future__ import annotations

import typing
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rectune.core.rows import read_batches
from rectune.core.types import Example
from rectune.filters.apply_rules import Verdicts

if typing.TYPE_CHECKING:
    from rectune.filters.rules.base import Ints, Mask

COUNT = 20


def borderline(verdicts: Verdicts, examples: Path) -> dict[str, list[dict[str, Any]]]:
    """`worst_kept` (highest score first) and `best_dropped` (lowest first); ties by id.

    Args:
        examples: the file of the examples that were judged, in the verdicts' order.
    """
    kept = verdicts.kept
    chosen = {
        "worst_kept": _first(verdicts, kept, -1.0),
        "best_dropped": _first(verdicts, ~kept, 1.0),
    }
    texts = _texts(examples, {place for places in chosen.values() for place in places})
    return {
        name: [_row(verdicts, place, texts[place]) for place in places] for name, places in chosen.items()
    }


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


def _row(verdicts: Verdicts, place: int, text: str) -> dict[str, Any]:
    return {
        "id": verdicts.ids[place],
        "domain": verdicts.domains[place],
        "score": round(float(verdicts.score[place]), 3),
        "tokens": int(verdicts.tokens[place]),
        "reasons": list(verdicts.reasons(place)),
        "response": text,
    }
