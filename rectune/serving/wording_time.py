"""How long the model may word one answer, before plain sentences stand."""

from __future__ import annotations

import time
from collections.abc import Callable


class WordingTime:
    """The time of one answer, from `begin` on: half of it, or all once something has passed the checks.

    So nobody waits long for a model whose words are refused, and one whose words pass can go on.

    Args:
        seconds: of an answer.
        clock: seconds that only go forward.
    """

    def __init__(self, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._seconds, self._clock = seconds, clock
        self._start: float | None = None
        self._passed = False

    def begin(self) -> None:
        """It runs from now on; nothing happens where it does already."""
        if self._start is None:
            self._start = self._clock()

    def passed(self) -> None:
        """Words of the model have passed the checks."""
        self._passed = True

    def left(self) -> float | None:
        """The seconds that are left, 0 or less where it is over; None where it has not begun."""
        if self._start is None:
            return None
        return self._seconds * (1.0 if self._passed else 0.5) - (self._clock() - self._start)
