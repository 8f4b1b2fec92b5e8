"""Patterns that are only searched for where a hint of them is in the text."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class HintedPattern:
    """A pattern for lower-case text, and hints: substrings of which every match contains one.

    Searching for hints is much faster than a pattern with many alternatives, and most texts have none.
    """

    hints: tuple[str, ...]
    pattern: re.Pattern[str]

    def count(self, folded: str) -> int:
        """The number of matches in a lower-case text."""
        if not any(hint in folded for hint in self.hints):
            return 0
        return sum(1 for _ in self.pattern.finditer(folded))


def hinted_patterns(*pairs: tuple[str, str]) -> tuple[HintedPattern, ...]:
    """Patterns from pairs of hints, separated by `|`, and a regex, in which `^` is the start of a line."""
    return tuple(
        HintedPattern(tuple(hints.split("|")), re.compile(pattern, re.MULTILINE | re.ASCII))
        for hints, pattern in pairs
    )


def count_matches(among: Sequence[HintedPattern], text: str) -> int:
    """The number of matches of all patterns in a text."""
    folded = text.lower()
    return sum(sign.count(folded) for sign in among)
