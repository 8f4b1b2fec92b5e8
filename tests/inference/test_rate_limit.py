"""Waits that servers ask for."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from rectune.inference.rate_limit import retry_after

NOW = datetime(2030, 1, 1, tzinfo=UTC)


def after(seconds: float) -> str:
    return format_datetime(NOW + timedelta(seconds=seconds), usegmt=True)


@pytest.mark.parametrize(
    ("told", "seconds"),
    [
        ("", 0),
        ("7", 7),
        (" 1.5 ", 1.5),
        ("0", 0),
        (after(90), 90),
        (after(-90), 0),
        ("soon", 0),
        ("-3", 0),
        ("nan", 0),
        ("9" * 400, 0),
    ],
)
def test_waits_are_understood_as_seconds_and_as_dates(
    told: str, seconds: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(time, "time", NOW.timestamp)
    assert retry_after(told) == pytest.approx(seconds)
