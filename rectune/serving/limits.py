"""Who asks too often, or for too much at once. Counted in this process: several servers count apart."""

from __future__ import annotations

import math
import threading
import time
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rectune.core.errors import RectuneError

_ROUNDING = 1e-6  # of a token, which sums of times may lack
_MOST = 10_000  # clients that are remembered; the one that asked longest ago is forgotten first


class TooManyRequests(RectuneError):
    """A client asks too often; `retry_after` is in whole seconds, at least 1."""

    def __init__(self, message: str, retry_after: int) -> None:
        self.retry_after = retry_after
        super().__init__(message)


class RateLimit:
    """A token bucket a client: so many requests at once, and as many again within a minute.

    Args:
        per_minute: requests.
        clock: seconds that only go forward.
    """

    def __init__(self, per_minute: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._most, self._clock = float(per_minute), clock
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()  # tokens, and since when
        self._lock = threading.Lock()

    def take(self, client: str) -> None:
        """Count a request.

        Raises:
            TooManyRequests: the client has none left.
        """
        with self._lock:
            now = self._clock()
            left, since = self._buckets.pop(client, (self._most, now))
            left = min(self._most, left + (now - since) * self._most / 60)
            enough = left > 1 - _ROUNDING
            self._buckets[client] = (left - 1 if enough else left, now)
            if len(self._buckets) > _MOST:
                self._buckets.popitem(last=False)
        if not enough:
            seconds = math.ceil((1 - left) * 60 / self._most)
            raise TooManyRequests("too many requests", max(1, seconds))


class OpenGenerations:
    """How many answers of the model somebody has open.

    Args:
        most: of one user at a time.
    """

    def __init__(self, most: int) -> None:
        self._most, self._lock = most, threading.Lock()
        self._open: Counter[str] = Counter()

    @contextmanager
    def of(self, whose: str) -> Iterator[None]:
        """One is open within.

        Raises:
            TooManyRequests: there are as many as may be.
        """
        with self._lock:
            if self._open[whose] >= self._most:
                raise TooManyRequests(f"{self._most} answers are being written already", 2)
            self._open[whose] += 1
        try:
            yield
        finally:
            with self._lock:
                self._open[whose] -= 1
                if not self._open[whose]:
                    del self._open[whose]
