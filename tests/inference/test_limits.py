"""Waits that servers ask for, and pauses of our own."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from rectune.inference import limits
from rectune.inference.limits import pause, wanted_wait

NOW = datetime(2030, 1, 1, tzinfo=UTC)


def after(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"Retry-After": "7"}, 7),
        ({"retry-after": "0"}, 0),
        ({"Retry-After": format_datetime(after(90), usegmt=True)}, 90),
        ({"Retry-After": format_datetime(after(-90), usegmt=True)}, 0),
        ({"Retry-After": "soon"}, None),
        ({"x-ratelimit-reset-requests": "1m30.5s"}, 90.5),
        ({"x-ratelimit-reset-tokens": "250ms"}, 0.25),
        ({"x-ratelimit-reset-tokens": "12"}, 12),
        ({"X-RateLimit-Reset": str(int(after(40).timestamp()))}, 40),
        ({"X-RateLimit-Reset": str(int(after(40).timestamp() * 1000))}, 40),
        ({"anthropic-ratelimit-reset-tokens": after(50).isoformat()}, 50),
        ({"x-ratelimit-reset-requests": "2s", "x-ratelimit-reset-tokens": "1m"}, 60),
        (
            {
                "x-ratelimit-reset-requests": "2s",
                "x-ratelimit-remaining-requests": "0",
                "x-ratelimit-reset-tokens": "1m",
                "x-ratelimit-remaining-tokens": "900",
            },
            2,
        ),
        ({"Retry-After": "3", "x-ratelimit-reset-requests": "60s"}, 3),
        ({"Retry-After": "9" * 400, "x-ratelimit-reset-tokens": "nan"}, None),
    ],
)
def test_waits_are_understood_however_they_are_written(
    headers: dict[str, str], seconds: float | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits.time, "time", NOW.timestamp)
    assert wanted_wait(headers) == (None if seconds is None else pytest.approx(seconds))


def test_pauses_double_up_to_a_minute_and_are_never_quite_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "FIRST_PAUSE", 0.5)
    for failures, longest in [(1, 0.5), (2, 1.0), (5, 8.0), (9, 60.0), (5000, 60.0)]:
        drawn = {pause(failures) for _ in range(50)}
        assert len(drawn) > 40
        assert longest / 2 <= min(drawn) <= max(drawn) <= longest
