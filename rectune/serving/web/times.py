"""Times as pages show them: in UTC, in figures, the same in every language."""

from __future__ import annotations

from datetime import UTC, datetime


def day(time: int) -> str:
    """The day of a time in milliseconds since 1970, as 2026-11-30; empty where no calendar has it."""
    return _shown(time, "%Y-%m-%d")


def minute(time: int) -> str:
    """Day and minute, as 2026-11-30 14:05."""
    return _shown(time, "%Y-%m-%d %H:%M")


def _shown(time: int, form: str) -> str:
    try:
        return datetime.fromtimestamp(time / 1000, UTC).strftime(form)
    except (ValueError, OverflowError, OSError):  # feedback may bear any time
        return ""
