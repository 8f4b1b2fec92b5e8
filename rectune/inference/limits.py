"""When a server may be asked (again): our own rate limit, the waits it asks for, and growing pauses after failures."""

from __future__ import annotations

import asyncio
import random
import re
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

FIRST_PAUSE = 0.5  # seconds after a first failure; doubled after each further one
_LONGEST_PAUSE = 60.0  # seconds
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_DURATION = re.compile(r"(?:\d+(?:\.\d+)?(?:ms|[smhd]))+")
_EPOCH = 1e9  # numbers from here on are points in time (seconds since 1970), those below are seconds to wait
_EPOCH_MS = 1e12


class Pace:
    """Lets requests leave one after the other: a token bucket of depth one, so no minute holds more than allowed.

    Belongs to one event loop.
    """

    def __init__(self, per_minute: int) -> None:
        self._gap = 60.0 / per_minute if per_minute else 0.0
        self._ready = 0.0  # when the next one may leave
        self._queue = asyncio.Lock()  # first come, first served

    async def turn(self) -> None:
        """Wait until a request may leave."""
        async with self._queue:
            while (left := self._ready - time.monotonic()) > 0:
                await asyncio.sleep(left)
            self._ready = time.monotonic() + self._gap

    def hold(self, seconds: float) -> None:
        """Let nothing leave for that long."""
        self._ready = max(self._ready, time.monotonic() + seconds)


def pause(failures: int) -> float:
    """Seconds to wait after so many failures of one request; random, so that many do not come back together."""
    return min(_LONGEST_PAUSE, FIRST_PAUSE * 2.0 ** min(failures - 1, 30)) * random.uniform(0.5, 1.0)


def wanted_wait(headers: Mapping[str, str]) -> float | None:
    """Seconds that a server asks to wait in `Retry-After` or `X-RateLimit-Reset*`; None if it says nothing.

    Of several rate limits only those count that the server calls used up, or does not tell how much is left of.
    """
    lower = {name.lower(): value for name, value in headers.items()}
    if (told := _seconds(lower.get("retry-after", ""))) is not None:
        return told
    waits = []
    for name, value in lower.items():
        start, reset, which = name.partition("ratelimit-reset")
        remaining = lower.get(f"{start}ratelimit-remaining{which}", "0").strip()
        if reset and remaining == "0" and (wait := _seconds(value)) is not None:
            waits.append(wait)
    return max(waits, default=None)


def _seconds(text: str) -> float | None:
    """From now on: "3", "1.5s", "6m0s", a point in time in seconds or milliseconds since 1970, an HTTP or ISO date."""
    text = text.strip()
    if re.fullmatch(r"\d{1,15}(\.\d{1,9})?", text):
        number = float(text)
        if number >= _EPOCH:
            number = number / (1000.0 if number >= _EPOCH_MS else 1.0) - time.time()
        return max(0.0, number)
    if _DURATION.fullmatch(text):
        pieces = re.findall(r"(\d+(?:\.\d+)?)(ms|[smhd])", text)
        return sum(float(number) * _UNITS[unit] for number, unit in pieces)
    for parse in (parsedate_to_datetime, datetime.fromisoformat):
        try:
            moment = parse(text)
        except (ValueError, TypeError, OverflowError):
            continue
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        return max(0.0, moment.timestamp() - time.time())
    return None
