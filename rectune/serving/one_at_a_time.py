"""Letting in one at a time by a name, of this process."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

_LOOK = 0.25  # seconds between looks whether who waits is there still


class OneAtATime:
    """Lets in one at a time by a name; the others wait."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._locks: dict[str, threading.Lock] = {}
        self._wanted: Counter[str] = Counter()

    @contextmanager
    def of(self, name: str, check: Callable[[], None]) -> Iterator[None]:
        """Within nobody else is let in by this name; `check` is called now and then while waiting."""
        with self._lock:
            one = self._locks.setdefault(name, threading.Lock())
            self._wanted[name] += 1
        try:
            while not one.acquire(timeout=_LOOK):
                check()
            try:
                yield
            finally:
                one.release()
        finally:
            with self._lock:
                self._wanted[name] -= 1
                if not self._wanted[name]:
                    del self._wanted[name], self._locks[name]
