"""When a request may be sent: our own rate limit, and the waits that the server asks for."""

from __future__ import annotations

import asyncio
import re
import time
from email.utils import parsedate_to_datetime


class RateLimiter:
    """A token bucket of depth one: requests leave one by one, never more per minute than allowed.

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
        """Hold all requests for that many seconds."""
        self._ready = max(self._ready, time.monotonic() + seconds)


def retry_after(told: str) -> float:
    """Seconds to wait by a header `Retry-After`: a number, or an HTTP date; 0 where it says neither."""
    if re.fullmatch(r"\d{1,15}(\.\d{1,9})?", told.strip()):
        return float(told)
    try:
        return max(0.0, parsedate_to_datetime(told).timestamp() - time.time())
    except (ValueError, TypeError, OverflowError):
        return 0.0
