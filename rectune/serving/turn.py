"""What one HTTP request has asked for, so that it can be ended when its client has gone."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from rectune.inference.service_call import EngineCall
from rectune.inference.service_state import CallCancelled


class Turn:
    """Cancels a request, whether the engine has it already or not. Any thread may use it.

    Attributes:
        expired: whether it was ended because it took too long, and not because its client has gone.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._call: EngineCall | None = None
        self._cancelled = self.expired = False

    @property
    def cancelled(self) -> bool:
        """Whether its client has gone."""
        return self._cancelled

    @property
    def place(self) -> int:
        """How many requests wait in the engine before this one."""
        call = self._call
        return call.place if call else 0

    def cancel(self) -> None:
        """The client has gone."""
        with self._lock:
            self._cancelled = True
            call = self._call
        if call:
            call.cancel()

    def expire(self) -> None:
        """It takes too long: the engine's part of it ends."""
        with self._lock:
            self.expired = True
            call = self._call
        if call:
            call.cancel()

    @contextmanager
    def timed(self, seconds: float) -> Iterator[None]:
        """What the engine is asked within ends after so long."""
        timer = threading.Timer(seconds, self.expire)
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()

    def opened(self, call: EngineCall) -> None:
        """This call asks the engine."""
        with self._lock:
            self._call = call
            over = self._cancelled or self.expired
        if over:
            call.cancel()

    def check(self) -> None:
        """Do nothing while the client is there.

        Raises:
            CallCancelled: it has gone.
        """
        if self._cancelled:
            raise CallCancelled("the client has gone")
