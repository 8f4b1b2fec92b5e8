"""Parts of an answer that go out before it is whole."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from rectune.recommender.explanations import Explanation, OnReason
from rectune.recommender.results import Recommendations


def _nobody(*parts: object) -> None:
    """Hears of it and does nothing."""


@dataclass(frozen=True)
class AnswerEvents:
    """Who hears of the parts of answers; called in the thread that asked, and what they raise ends the work.

    Attributes:
        on_items: the place of a request, and its answer as it will be but for the reasons.
        on_reason: the place of a request, the id of an item, and the reasons for it. They have passed the
            checks, or are a plain sentence; what was given is what the answer has in the end.
    """

    on_items: Callable[[int, Recommendations], None] = _nobody
    on_reason: Callable[[int, str, Explanation], None] = _nobody


def numbered(places: Sequence[tuple[int, str]], events: AnswerEvents | None) -> OnReason | None:
    """What tells of reasons that are numbered through all answers; None where nobody hears of them.

    Args:
        places: of every reason the place of its request and the id of its item.
        events: who hears of it.
    """
    return (lambda number, reason: events.on_reason(*places[number], reason)) if events else None
