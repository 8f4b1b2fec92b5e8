"""The declared rule for prompts that are too long: the oldest items of the history are left out, and counted.

At least one item stays; candidates and query are never touched. A prompt that does not fit even so is left out as a whole.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from rectune.core.types import Prompt

Render = Callable[[int, int], Prompt]
Lengths = Callable[[Sequence[Prompt]], list[int]]


@dataclass(frozen=True, slots=True)
class Fitted:
    """The prompts that fit, in order, and how many were too long with a single item of history."""

    prompts: list[Prompt]
    too_long: int

    @property
    def shortened(self) -> int:
        """How many prompts lack items of their history."""
        return sum(prompt.left_out > 0 for prompt in self.prompts)

    @property
    def left_out(self) -> int:
        """How many items they lack together."""
        return sum(prompt.left_out for prompt in self.prompts)


def fit(count: int, render: Render, lengths: Lengths, budget: int) -> Fitted:
    """Render prompts so that each has at most `budget` tokens; the fewest items that do are left out.

    What is too long is rendered again in rounds, all of it together, so that a tokenizer always gets many at once;
    halving the range takes about log2 of the longest history rounds.

    Args:
        count: how many prompts there are.
        render: the prompt at a place from 0 to `count`, without the oldest so many items of its history.
        lengths: tokens of each prompt; fewer items never have more.
        budget: tokens that a prompt may have.
    """
    prompts: dict[int, Prompt] = {place: render(place, 0) for place in range(count)}
    long = _too_long(prompts, lengths, budget)
    # What is known of each: leaving out fewer than `low` is not enough, leaving out more than `high` not needed.
    open_: dict[int, tuple[int, int]] = {place: (1, len(prompts.pop(place).history) - 1) for place in long}
    while open_:
        middle = {place: (low + high) // 2 for place, (low, high) in open_.items() if low <= high}
        tried = {place: render(place, left_out) for place, left_out in middle.items()}
        long = _too_long(tried, lengths, budget)
        prompts.update((place, prompt) for place, prompt in tried.items() if place not in long)
        open_ = {
            place: (middle[place] + 1, open_[place][1])
            if place in long
            else (open_[place][0], middle[place] - 1)
            for place in middle
        }
    return Fitted([prompts[place] for place in sorted(prompts)], count - len(prompts))


def _too_long(prompts: dict[int, Prompt], lengths: Lengths, budget: int) -> set[int]:
    counted = lengths(list(prompts.values()))
    return {place for place, length in zip(prompts, counted, strict=True) if length > budget}
