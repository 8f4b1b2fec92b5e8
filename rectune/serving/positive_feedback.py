"""The rates of positive feedback as programs and the admin page see them: counted at most once a minute."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from threading import Lock

from rectune.serving.comparison import Comparison
from rectune.serving.store.database import Database
from rectune.serving.store.feedback_rates import (
    ArmDifference,
    ArmRate,
    StrategyRate,
    arm_rates,
    strategy_rates,
)

_FRESH = 60.0  # seconds


@dataclass(frozen=True)
class FeedbackRates:
    """What was counted.

    Attributes:
        strategies: of each strategy.
        arms: of the two that are compared, the first one first; empty where none are.
        difference: of the arms; None where there is none yet.
    """

    strategies: Sequence[StrategyRate]
    arms: Sequence[ArmRate] = ()
    difference: ArmDifference | None = None


class PositiveFeedback:
    """Counts, and remembers for a minute. Any thread may ask.

    Args:
        database: the store.
        comparison: of two rankers, if any.
        clock: seconds that only go forward.
    """

    def __init__(
        self, database: Database, comparison: Comparison | None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._database, self._comparison, self._clock = database, comparison, clock
        self._lock = Lock()
        self._found: FeedbackRates | None = None
        self._at = 0.0

    def rates(self) -> FeedbackRates:
        """The rates of answers that are kept.

        Raises:
            DatabaseUnavailable: it does not answer.
        """
        with self._lock:
            if self._found is None or self._clock() - self._at >= _FRESH:
                self._found, self._at = self._counted(), self._clock()
            return self._found

    def _counted(self) -> FeedbackRates:
        both = self._comparison
        with self._database.reading() as session:
            strategies = strategy_rates(session)
            found = arm_rates(session, both.name) if both else {}
        if both is None:
            return FeedbackRates(strategies)
        first, second = (found.get(name, ArmRate(name)) for name in (both.first, both.second))
        return FeedbackRates(strategies, (first, second), ArmDifference.of(first, second))
