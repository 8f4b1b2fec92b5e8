"""What the filter did, for the report: rules, lengths, and the rows that a person should read."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rectune.core.manifest import Manifest
from rectune.evaluation.pages.values import rows
from rectune.filters.charts import bucket_name

PICTURES = {
    "overlap.png": "Rows that two rules drop both",
    "drop_rate.png": "Share of responses dropped, by length",
    "score_by_length.png": "Response score against length",
}


@dataclass(frozen=True)
class RuleCount:
    """How many rows a rule drops: in all, and alone, where no other rule does."""

    reason: str
    dropped: int
    alone: int


@dataclass(frozen=True)
class Bucket:
    """Responses of one length in tokens: all, dropped for any reason, dropped by the score."""

    name: str
    rows: int
    dropped: int
    by_score: int


@dataclass(frozen=True)
class Filtered:
    """Empty where the filter has not run; `worst_kept` and `best_dropped` are rows of `rectune.filters.extremes`."""

    rules: tuple[RuleCount, ...] = ()
    lengths: tuple[Bucket, ...] = ()
    worst_kept: tuple[Mapping[str, Any], ...] = ()
    best_dropped: tuple[Mapping[str, Any], ...] = ()


def read_filtered(manifest: Manifest | None, folder: Path | None) -> Filtered:
    """From the stage's figures and its `extremes.json`; what is missing or misshapen is left out."""
    figures = manifest.figures if manifest else {}
    alone = _counts(figures.get("dropped_by_one_rule_alone"))
    read = _read(folder / "extremes.json") if folder else {}
    buckets = figures.get("lengths")
    return Filtered(
        tuple(
            RuleCount(reason, n, alone.get(reason, 0))
            for reason, n in _counts(figures.get("dropped")).items()
        ),
        tuple(_bucket(entry) for entry in buckets) if isinstance(buckets, list) else (),
        tuple(rows(read.get("worst_kept"))),
        tuple(rows(read.get("best_dropped"))),
    )


def _bucket(entry: Mapping[str, Any]) -> Bucket:
    return Bucket(bucket_name(entry), entry["rows"], entry["dropped"], entry["dropped_by_score"])


def _counts(value: Any) -> dict[str, int]:
    pairs = value.items() if isinstance(value, dict) else ()
    return {str(reason): count for reason, count in pairs if isinstance(count, int)}


def _read(path: Path) -> Mapping[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
