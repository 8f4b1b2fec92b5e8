"""Figures of a run's JSON, which may lack them or hold other types, formatted for reports and cards."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rectune.core.stats.intervals import wilson
from rectune.core.text.tables import NONE


def mapping(value: Any) -> Mapping[str, Any]:
    """The value if it is a mapping, else an empty one."""
    return value if isinstance(value, Mapping) else {}


def rows(value: Any) -> Sequence[Mapping[str, Any]]:
    """The mappings in a list; none where it is no list."""
    return [row for row in value if isinstance(row, Mapping)] if isinstance(value, list) else []


def number(value: Any) -> float | None:
    """The value as a float if it is a number, else None."""
    return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else None


def figure(value: Any, *, signed: bool = False) -> str:
    """Three decimals; `NONE` for what is no number."""
    found = number(value)
    if found is None:
        return NONE
    return f"{found:+.3f}" if signed else f"{found:.3f}"


def with_ends(value: Any, ends: Any, *, signed: bool = False) -> str:
    """`0.250 [0.125, 0.375]`; without brackets where `ends` is not two numbers, `NONE` without a value."""
    words = figure(value, signed=signed)
    if words == NONE or not isinstance(ends, (list, tuple)) or len(ends) != 2:
        return words
    low, high = (figure(end, signed=signed) for end in ends)
    return words if NONE in (low, high) else f"{words} [{low}, {high}]"


def triple(value: Any) -> str:
    """[value, low, high, …] formatted; `NONE` for anything else."""
    if not isinstance(value, (list, tuple)) or len(value) < 3 or None in map(number, value[:3]):
        return NONE
    return with_ends(value[0], value[1:3])


def share(value: Any, n: Any) -> str:
    """A share of n with its 95 % interval (Wilson)."""
    found = number(value)
    if found is None or not isinstance(n, int) or n < 1:
        return NONE
    return with_ends(found, wilson(round(found * n), n))


def memory(count: int) -> str:
    """Bytes in GiB or MiB; zero means that it was not measured."""
    if not count:
        return "not measured"
    return f"{count / 2**30:.2f} GiB" if count >= 2**30 else f"{count / 2**20:.0f} MiB"


def percent(part: float | None, whole: float | None = 1.0) -> str:
    """`25.1 %`; `NONE` where either is missing, or the whole is nothing."""
    return f"{100 * part / whole:.1f} %" if part is not None and whole else NONE
