"""The declared rule for prompts that are too long: the oldest items of the history are left out, and counted.

At least one item stays; candidates and query are never touched. A prompt that does not fit even so is left
out as a whole.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from rectune.core.truncation import fewest_dropped
from rectune.core.types import Locale, Prompt

Render = Callable[[int, int], Prompt]
Lengths = Callable[[Sequence[Prompt]], list[int]]


@dataclass(frozen=True, slots=True)
class TruncatedPrompt:
    """The prompts that fit, in order, and the language and the tokens of each that is too long with one item
    of history.
    """

    prompts: list[Prompt]
    lost: list[tuple[Locale, int]]

    @property
    def too_long(self) -> int:
        """How many prompts were too long."""
        return len(self.lost)

    @property
    def longest_lost(self) -> dict[Locale, int]:
        """The tokens of the longest prompt that was too long, by language."""
        return {
            locale: max(tokens for of, tokens in self.lost if of == locale) for locale, _ in sorted(self.lost)
        }

    @property
    def shortened(self) -> int:
        """How many prompts lack items of their history."""
        return sum(prompt.left_out > 0 for prompt in self.prompts)

    @property
    def left_out(self) -> int:
        """How many items they lack together."""
        return sum(prompt.left_out for prompt in self.prompts)


def fit(count: int, render: Render, lengths: Lengths, limits: Mapping[Locale, int]) -> TruncatedPrompt:
    """Render prompts so that each has at most as many tokens as its language may; the fewest items that do
    are left out.

    Args:
        count: how many prompts there are.
        render: the prompt at a place from 0 to `count`, without the oldest so many items of its history.
        lengths: tokens of each prompt; fewer items never have more.
        limits: tokens that a prompt may have, by language.
    """
    whole = [render(place, 0) for place in range(count)]
    fitting: dict[int, Prompt] = {}

    def fits(left_out: Mapping[int, int]) -> dict[int, bool]:
        tried = {place: render(place, some) if some else whole[place] for place, some in left_out.items()}
        good = {
            place: length <= limits[tried[place].locale]
            for place, length in zip(tried, lengths(list(tried.values())), strict=True)
        }
        fitting.update((place, prompt) for place, prompt in tried.items() if good[place])
        return good

    found = fewest_dropped([len(prompt.history) - 1 for prompt in whole], fits)
    lost = [
        render(place, max(0, len(whole[place].history) - 1))
        for place, some in enumerate(found)
        if some is None
    ]
    kept = [fitting[place] for place in sorted(fitting)]
    return TruncatedPrompt(kept, [(p.locale, n) for p, n in zip(lost, lengths(lost), strict=True)])
