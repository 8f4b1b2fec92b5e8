"""The number of rows of each dataset in the mixture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rectune.core.errors import UserError
from rectune.core.types import Split


def allocate(total: int, shares: Mapping[str, float], names: Sequence[str]) -> dict[str, int]:
    """Split `total` over the names in proportion to their shares, by largest remainder.

    Raises:
        UserError: a name has no share, or all shares are 0.
    """
    absent = [name for name in names if name not in shares]
    if absent:
        raise UserError(
            f"no share for {', '.join(absent)}",
            where="data.mixture_weights",
            hint="give every dataset a weight, 0 included",
        )
    weight = sum(shares[name] for name in names)
    if weight <= 0:
        raise UserError(
            "all shares are 0",
            where="data.mixture_weights",
            hint="give at least one dataset a positive weight",
        )
    exact = {name: total * shares[name] / weight for name in names}
    counts = {name: int(exact[name]) for name in names}
    by_remainder = sorted(names, key=lambda name: (counts[name] - exact[name], name))
    for name in by_remainder[: total - sum(counts.values())]:
        counts[name] += 1
    return counts


def evenly(total: int, names: Sequence[str]) -> dict[str, int]:
    """Split `total` over the names as evenly as possible."""
    return allocate(total, dict.fromkeys(names, 1.0), names)


def deal(
    total: int,
    shares: Mapping[str, float],
    names: Sequence[str],
    capacity: Mapping[str, int],
    *,
    spread: bool,
) -> dict[str, int]:
    """Split `total` over the names when none can give more than its capacity.

    A shortfall is accepted, or spread over the names with capacity left, again in proportion to their shares.
    """
    given = {name: min(count, capacity[name]) for name, count in allocate(total, shares, names).items()}
    while spread and (missing := total - sum(given.values())):
        able = [name for name in names if shares[name] > 0 and given[name] < capacity[name]]
        if not able:
            break
        for name, more in allocate(missing, shares, able).items():
            given[name] = min(capacity[name], given[name] + more)
    return given


def table(wanted: Mapping[Split, Mapping[str, int]], got: Mapping[Split, Mapping[str, int]]) -> str:
    """Wanted and obtained cases by split (outer) and source (inner), as text; shortfalls are marked."""
    splits, names = list(wanted), list(dict.fromkeys(name for counts in wanted.values() for name in counts))
    width = max([len("source"), *(len(name) for name in names)])
    head = f"{'source':<{width}}" + "".join(f"{split + ': wanted':>20}{'got':>10}" for split in splits)
    lines = [head]
    for name in [*names, "all"]:
        cells = []
        for split in splits:
            asked, given = (_count(counts[split], name) for counts in (wanted, got))
            cells.append(f"{asked:>20,}{given:>10,}{'!' if given < asked else ' '}")
        lines.append(f"{name:<{width}}" + "".join(cells))
    return "\n".join(line.rstrip() for line in lines)


def _count(counts: Mapping[str, int], name: str) -> int:
    return sum(counts.values()) if name == "all" else counts.get(name, 0)
