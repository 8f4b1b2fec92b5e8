"""The declared rule for prompts that are too long: the oldest entries of a history are left out, and counted."""

from __future__ import annotations

from collections.abc import Callable

from rectune.inference.requests import Request

Messages = tuple[tuple[str, str], ...]


def fit(request: Request, tokens: Callable[[Messages], list[int]], room: int) -> tuple[list[int], int]:
    """The prompt's tokens with as much of the history as fits.

    Args:
        request: whose `history`, joined, stands in one of the messages; where it stands in none, nothing is left out.
        tokens: the prompt of a conversation.
        room: tokens that the prompt may have.

    Returns:
        The tokens, more than `room` if leaving out all but the last entry was not enough, and how many entries
        were left out: the fewest that do.
    """
    prompt, count, last = tokens(request.messages), 0, can_leave_out(request)
    while len(prompt) > room and count < last:
        removed = 0
        # No token has less than a byte, so what has fewer bytes than there are tokens too many cannot be enough.
        while count < last and (removed == 0 or removed < len(prompt) - room):
            removed += len((request.history[count] + request.separator).encode("utf-8", "replace"))
            count += 1
        prompt = tokens(without(request, count))
    return prompt, count


def can_leave_out(request: Request) -> int:
    """How many entries of the history may go: all but the last, if the history stands in the messages."""
    whole = request.separator.join(request.history)
    stands = bool(whole) and any(whole in content for _, content in request.messages)
    return len(request.history) - 1 if stands else 0


def without(request: Request, count: int) -> Messages:
    """The messages without the oldest `count` entries."""
    if not count:
        return request.messages
    whole, left = (request.separator.join(request.history[start:]) for start in (0, count))
    place = next(place for place, (_, content) in enumerate(request.messages) if whole in content)
    role, content = request.messages[place]
    changed = (role, content.replace(whole, left, 1))
    return (*request.messages[:place], changed, *request.messages[place + 1 :])
