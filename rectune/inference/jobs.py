"""What waits in an engine's queue: what is common to generating and scoring."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable
from typing import Literal, Protocol, TypeVar

from rectune.inference.requests import Finish

Priority = Literal["interactive", "background"]  # the first is served before the second
Outcome = Literal["stop", "length", "error", "cancelled", "scored"]


class Prioritised(Protocol):
    """What has a place in a queue by its priority."""

    @property
    def priority(self) -> Priority:
        """Interactive before background."""
        ...


Queued = TypeVar("Queued", bound=Prioritised)


class JobWatcher(Protocol):
    """Who counts jobs; called in the engine's thread."""

    def began(self, job: Job) -> None:
        """The job has left the queue: it has its slot."""
        ...

    def ended(self, job: Job, outcome: Outcome, prompt_tokens: int, tokens: int) -> None:
        """The job has ended; called once, before whoever waits for the result gets it."""
        ...


class Job(ABC):
    """Work for an engine.

    Attributes:
        priority: interactive jobs are begun before background ones; those of one priority in the order in
            which they came.
        cancelled: whether `cancel` was called.
        ended: whether the result is complete.
    """

    def __init__(
        self,
        cancel: Callable[[Job], None],
        priority: Priority = "interactive",
        watcher: JobWatcher | None = None,
    ) -> None:
        self.priority, self.cancelled, self.ended = priority, False, False
        self._cancel, self._watcher = cancel, watcher

    def cancel(self) -> None:
        """End it at the engine's next step, which frees its slot; nothing happens if it has ended.

        Any thread may call this.
        """
        self.cancelled = True
        self._cancel(self)

    def begin(self) -> None:
        """The engine gives it a slot; called by engines."""
        if self._watcher:
            self._watcher.began(self)

    @abstractmethod
    def give_up(self, finish: Finish, error: str = "") -> None:
        """End it without a result; called by engines."""

    def _close(self, outcome: Outcome, prompt_tokens: int, tokens: int) -> bool:
        """Count the end; False if it had ended before."""
        if self.ended:
            return False
        self.ended = True
        if self._watcher:
            self._watcher.ended(self, outcome, prompt_tokens, tokens)
        return True


def put_in_turn(queue: deque[Queued], one: Queued) -> None:
    """Add to a queue: behind all of the same priority, and before those of a lower one."""
    if one.priority == "background" or not queue or queue[-1].priority == "interactive":
        queue.append(one)
        return
    queue.insert(next(at for at, other in enumerate(queue) if other.priority == "background"), one)
