"""How many rows each dataset gives."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rectune.errors import UserError


def allot(total: int, shares: Mapping[str, float], names: Sequence[str]) -> dict[str, int]:
    """Split `total` over the names in proportion to their shares, by largest remainder; the parts sum to `total`.

    Raises:
        UserError: a name has no share, or all shares are 0.
    """
    absent = [name for name in names if name not in shares]
    if absent:
        raise UserError(
            f"no share for {', '.join(absent)}",
            where="data.shares",
            mend="give every dataset a weight, 0 included",
        )
    weight = sum(shares[name] for name in names)
    if weight <= 0:
        raise UserError(
            "all shares are 0", where="data.shares", mend="give at least one dataset a positive weight"
        )
    exact = {name: total * shares[name] / weight for name in names}
    counts = {name: int(exact[name]) for name in names}
    by_remainder = sorted(names, key=lambda name: (counts[name] - exact[name], name))
    for name in by_remainder[: total - sum(counts.values())]:
        counts[name] += 1
    return counts


def evenly(total: int, names: Sequence[str]) -> dict[str, int]:
    """Split `total` over the names as evenly as it goes."""
    return allot(total, dict.fromkeys(names, 1.0), names)
