"""Shortening prompts: as few of the oldest entries of a history as necessary are left out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence


def fewest_dropped(
    most: Sequence[int], fits: Callable[[Mapping[int, int]], Mapping[int, bool]]
) -> list[int | None]:
    """How many of the oldest entries must be left out of each of n prompts.

    All prompts that are still open are tried together in rounds, so that a tokenizer gets many at once;
    halving the range takes about log2 of the longest history rounds.

    Args:
        most: of each prompt, how many entries may go.
        fits: given how many entries are left out of some of the prompts, by place: whether each fits then. Of
            two calls that fit, the later one for the same prompt is the one that counts. Leaving out more
            never makes it longer.

    Returns:
        of each prompt the fewest that do; None where leaving out all that may go is not enough.
    """
    found: list[int | None] = [None] * len(most)
    tried = dict.fromkeys(range(len(most)), 0)
    # What is known of each: fewer than `low` are not enough, more than `high` not needed.
    ranges = {place: (0, high) for place, high in enumerate(most)}
    while tried:
        for place, good in fits(tried).items():
            low, high = ranges[place]
            if good:
                found[place], ranges[place] = tried[place], (low, tried[place] - 1)
            else:
                ranges[place] = (tried[place] + 1, high)
        tried = {place: (low + high) // 2 for place, (low, high) in ranges.items() if low <= high}
    return found
