"""The declared rule for prompts that are too long: what shows how to answer goes first, then the oldest of
the history.

Where the prompt does not fit even so, the facts about an item are cut from their end, an eighth at a time. As
few parts are left out as will do, and they are counted.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from rectune.core.truncation import fewest_dropped
from rectune.inference.requests import GenerationRequest

Messages = tuple[tuple[str, str], ...]

_PIECES = 8  # that facts are cut into; the first always stays


def fit(
    request: GenerationRequest, tokens: Callable[[Messages], list[int]], room: int
) -> tuple[list[int], int]:
    """The prompt's tokens with as much of the request as fits.

    Args:
        request: whose `history`, joined, stands in one of the messages; where it stands in none, nothing of
            it is left out.
        tokens: the prompt of a conversation.
        room: tokens that the prompt may have.

    Returns:
        The tokens, more than `room` if leaving out all that may go was not enough, and how many parts were
        left out: the fewest that do.
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
    """How many parts of a request may go: all answered questions, all of the history but its last, most of
    the facts.
    """
    return _shots(request) + _entries(request) + _cuts(request)


def without(request: GenerationRequest, count: int) -> Messages:
    """The messages without so many parts."""
    shots = min(count, _shots(request))
    entries = min(count - shots, _entries(request))
    cuts = count - shots - entries
    start = next((place for place, (role, _) in enumerate(request.messages) if role != "system"), 0)
    messages = (*request.messages[:start], *request.messages[start + 2 * shots :])
    if entries:
        whole, left = (request.separator.join(request.history[first:]) for first in (0, entries))
        messages = _replaced(messages, whole, left)
    if cuts:
        kept = request.facts[: len(request.facts) * (_PIECES - cuts) // _PIECES].rsplit(" ", 1)[0]
        messages = _replaced(messages, request.facts, f"{kept} …")
    return messages


def _shots(request: GenerationRequest) -> int:
    """Answered questions before the last one."""
    roles = [role for role, _ in request.messages if role != "system"]
    return (len(roles) - 1) // 2 if roles == ["user", "assistant"] * (len(roles) // 2) + ["user"] else 0


def _entries(request: GenerationRequest) -> int:
    return len(request.history) - 1 if _stands(request, request.separator.join(request.history)) else 0


def _cuts(request: GenerationRequest) -> int:
    return _PIECES - 1 if len(request.facts) > 2 * _PIECES and _stands(request, request.facts) else 0


def _stands(request: GenerationRequest, text: str) -> bool:
    return bool(text) and any(text in content for _, content in request.messages)


def _replaced(messages: Messages, text: str, by: str) -> Messages:
    """With other words in place of a text, in the last message that holds it."""
    place = max(place for place, (_, content) in enumerate(messages) if text in content)
    role, content = messages[place]
    changed = (role, by.join(content.rsplit(text, 1)))
    return (*messages[:place], changed, *messages[place + 1 :])
