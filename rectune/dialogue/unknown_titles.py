"""Titles that a message has in quotation marks and that nothing bears: they are no words to search with."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

_QUOTED = re.compile(r"[\"“「『《〈]([^\"“”「」『』《》〈〉]{2,80})[\"”」』》〉]")


@dataclass(frozen=True, slots=True)
class UnknownTitle:
    """A title that nothing bears, and the characters that name it, quotation marks included."""

    title: str
    start: int
    end: int


def unknown_titles(text: str, named: Sequence[tuple[int, int]]) -> list[UnknownTitle]:
    """What stands in quotation marks and is not the title of an item, in the order of the text.

    Args:
        text: the message.
        named: the characters that name items; a quotation that has more words than the title in it is none of
            that title.
    """
    return [
        UnknownTitle(found[1].strip(), *found.span())
        for found in _QUOTED.finditer(text)
        if found[1].strip() and not any(_same(found, text, start, end) for start, end in named)
    ]


def _same(found: re.Match[str], text: str, start: int, end: int) -> bool:
    """Whether a title fills a quotation."""
    if end <= found.start() or found.end() <= start:
        return False
    left = text[found.start() : start] + text[end : found.end()]
    return not any(map(str.isalnum, left))
