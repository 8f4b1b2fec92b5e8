"""When a server may be asked (again): our own rate limit, and the waits it asks for."""

from __future__ import annotations

import asyncio
import re
import time
from email.utils import parsedate_to_datetime


class RateLimiter:
    """Lets requests leave one after the other: a token bucket of depth one, so no minute holds more than
    allowed.

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


def retry_after(told: str) -> float:
    """Seconds to wait by a header `Retry-After`: a number, or an HTTP date; 0 where it says neither."""
    if re.fullmatch(r"\d{1,15}(\.\d{1,9})?", told.strip()):
        return float(told)
    try:
        return max(0.0, parsedate_to_datetime(told).timestamp() - time.time())
    except (ValueError, TypeError, OverflowError):
        return 0.0
