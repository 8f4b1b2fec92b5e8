"""Shortening prompts that are too long: the oldest entries of the history are left out, and counted."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from rectune.core.truncation import fewest_dropped
from rectune.inference.requests import GenerationRequest

Messages = tuple[tuple[str, str], ...]


def fit(
    request: GenerationRequest, tokens: Callable[[Messages], list[int]], room: int
) -> tuple[list[int], int]:
    """The prompt's tokens with as much of the history as fits.

    Args:
        request: its `history`, joined, is in one of the messages; if it is in none, nothing is left out.
        tokens: the prompt of a conversation.
        room: tokens that the prompt may have.

    Returns:
        The tokens, more than `room` if leaving out all but the last entry was not enough, and the smallest
        sufficient number of entries left out.
    """
    last = can_leave_out(request)
    prompts: dict[int, list[int]] = {}

    def fits(left_out: Mapping[int, int]) -> dict[int, bool]:
        prompts[left_out[0]] = tokens(without(request, left_out[0]))
        return {0: len(prompts[left_out[0]]) <= room}

    (fewest,) = fewest_dropped([last], fits)
    count = last if fewest is None else fewest
    return prompts[count], count


def can_leave_out(request: GenerationRequest) -> int:
    """How many entries of the history may be left out: all but the last, if it is in the messages."""
    whole = request.separator.join(request.history)
    stands = bool(whole) and any(whole in content for _, content in request.messages)
    return len(request.history) - 1 if stands else 0


def without(request: GenerationRequest, count: int) -> Messages:
    """The messages without the oldest `count` entries."""
    if not count:
        return request.messages
    whole, left = (request.separator.join(request.history[start:]) for start in (0, count))
    place = next(place for place, (_, content) in enumerate(request.messages) if whole in content)
    role, content = request.messages[place]
    changed = (role, content.replace(whole, left, 1))
    return (*request.messages[:place], changed, *request.messages[place + 1 :])
