"""Differences between answers: wording that answers share, and the line that recommends an item."""

from __future__ import annotations

import re
from collections.abc import Sequence

from rectune.prompts.answers import reasons

Span = tuple[int, int]  # from and to, in characters of the text

RUN = 3  # words in a row that count as shared wording

_WORD = re.compile(r"\S+")
_POINT = re.compile(r"\s*([^\n]*[:：]\s*\n)?[^\n]*")


def shared(texts: Sequence[str]) -> list[list[Span]]:
    """The spans of each text that another text has too, word for word, in `RUN` words or more."""
    words = [[(match.group().casefold(), match.span()) for match in _WORD.finditer(text)] for text in texts]
    runs = [
        [tuple(word for word, _ in row[at : at + RUN]) for at in range(len(row) - RUN + 1)] for row in words
    ]
    heard: dict[tuple[str, ...], int] = {}
    for said in runs:
        for run in set(said):
            heard[run] = heard.get(run, 0) + 1
    return [_merged(row, said, heard) for row, said in zip(words, runs, strict=True)]


def conclusion(text: str) -> Span:
    """The span of an answer's recommendation: our closing line, or our ranking's heading and first title.

    Empty if there is neither.
    """
    start = len(reasons(text))
    match = _POINT.match(text, start)
    return (start, match.end()) if match and start < len(text) else (start, start)


def _merged(
    row: Sequence[tuple[str, Span]], said: Sequence[tuple[str, ...]], heard: dict[tuple[str, ...], int]
) -> list[Span]:
    spans: list[Span] = []
    for at, run in enumerate(said):
        if heard[run] < 2:
            continue
        start, end = row[at][1][0], row[at + RUN - 1][1][1]
        if spans and start <= spans[-1][1]:
            spans[-1] = (spans[-1][0], end)
        else:
            spans.append((start, end))
    return spans
