"""The ranking results as the report prints them, read from what the stage `eval` wrote."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rectune.evaluation.pages.values import mapping, number

CLAIM = 500  # users; below it the 95 % interval of a share near 0.3 is wider than 0.08


@dataclass(frozen=True)
class SystemRow:
    """One system over all domains; `low` to `high` is the 95 % interval of `hit` (Hit@1). None: unknown."""

    system: str
    n: int
    hit: float | None = None
    low: float | None = None
    high: float | None = None
    mrr: float | None = None
    ndcg: float | None = None


@dataclass(frozen=True)
class DomainRow:
    """Hit@1 of every system in one domain, over the same n users."""

    domain: str
    n: int
    hits: Mapping[str, float | None]


@dataclass(frozen=True)
class Results:
    """Everything about ranking; `candidates` and `chance` are None where they were not recorded."""

    candidates: int | None = None
    chance: float | None = None
    systems: tuple[SystemRow, ...] = ()
    domains: tuple[DomainRow, ...] = ()
    verdict: str = ""
    protocol: str = ""
    intervals: str = ""


def read_results(document: Any) -> Results:
    """From metrics.json; whatever is missing in it is missing in the result."""
    systems = mapping(mapping(document).get("systems"))
    rows = tuple(_system(str(name), mapping(entry)) for name, entry in systems.items())
    candidates = mapping(document).get("candidates")
    return Results(
        candidates=candidates if isinstance(candidates, int) else None,
        chance=number(mapping(document).get("chance")),
        systems=rows,
        domains=_domains(systems),
        verdict=verdict(rows),
        protocol=str(mapping(document).get("protocol", "")),
        intervals=str(mapping(document).get("intervals", "")),
    )


def verdict(rows: Sequence[SystemRow]) -> str:
    """What may be concluded, by the number of users and the intervals' width; empty without results."""
    if not rows:
        return ""
    n = min(row.n for row in rows)
    widths = [row.high - row.low for row in rows if row.low is not None and row.high is not None]
    width = f", and intervals up to {max(widths):.2f} wide" if widths else ""
    if n < CLAIM:
        return f"With n = {n} users{width}, no claim is made: these figures show that the measurement runs."
    return f"n = {n} users{width}: systems whose intervals overlap are not told apart."


def _system(name: str, entry: Mapping[str, Any]) -> SystemRow:
    interval = entry.get("interval")
    low, high = (
        (interval[0], interval[1]) if isinstance(interval, list) and len(interval) == 2 else (None, None)
    )
    return SystemRow(
        system=name,
        n=_count(entry),
        hit=number(entry.get("hit@1")),
        low=number(low),
        high=number(high),
        mrr=number(entry.get("mrr")),
        ndcg=number(entry.get("ndcg@10")),
    )


def _domains(systems: Mapping[str, Any]) -> tuple[DomainRow, ...]:
    """One row a domain over all systems; n is that of the first system that saw it."""
    counts: dict[str, int] = {}
    hits: dict[str, dict[str, float | None]] = {}
    for system, entry in systems.items():
        for domain, figures in mapping(mapping(entry).get("domains")).items():
            counts.setdefault(str(domain), _count(mapping(figures)))
            hits.setdefault(str(domain), {})[str(system)] = number(mapping(figures).get("hit@1"))
    return tuple(DomainRow(domain, counts[domain], hits[domain]) for domain in sorted(counts))


def _count(entry: Mapping[str, Any]) -> int:
    n = entry.get("n")
    return n if isinstance(n, int) else 0
