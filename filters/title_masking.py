"""Masking titles in a text, so that a rule never drops a response for an item's title."""

from __future__ import annotations

import re
from collections.abc import Iterable

from rectune.core.text.support import MASK as MASK

_WORD = re.compile(r"\w+")


def mask(text: str, titles: Iterable[str]) -> str:
    """The text with `MASK` for every title in it, ignoring case; longer titles first.

    A title must be whole words; a Korean particle may follow it.
    """
    folded = text.lower()
    if len(folded) != len(text):  # a few letters have a longer lower-case form, which would shift positions
        folded = text
    spans: list[tuple[int, int]] = []
    for title in titles:
        wanted = " ".join(title.split()) if folded is text else " ".join(title.lower().split())
        start = folded.find(wanted) if wanted else -1
        while start >= 0:
            end = start + len(wanted)
            if _whole(folded, start, end):
                spans.append((start, end))
            start = folded.find(wanted, end)
    return _without(text, sorted(spans))


def segments(masked: str) -> list[list[str]]:
    """The words of a masked text, case-folded, split where a title stood: no n-gram crosses a title."""
    return [_WORD.findall(part) for part in masked.casefold().split(MASK)]


def runs(parts: Iterable[list[str]], length: int) -> list[tuple[str, ...]]:
    """All n-grams of `length` words in these segments."""
    return [run for words in parts for run in zip(*(words[at:] for at in range(length)), strict=False)]


def _whole(text: str, start: int, end: int) -> bool:
    before = start == 0 or not (text[start - 1].isalnum() and text[start].isalnum())
    after = end == len(text) or not (text[end - 1].isalnum() and text[end].isalnum())
    return before and (after or "가" <= text[end] <= "힣")


def _without(text: str, spans: list[tuple[int, int]]) -> str:
    kept, at = list[str](), 0
    for start, end in spans:
        if start >= at:
            kept.append(text[at:start])
            kept.append(MASK)
        at = max(at, end)
    kept.append(text[at:])
    return "".join(kept)
