"""Finished sentences of a text that arrives in pieces."""

from __future__ import annotations

import re
from collections.abc import Iterator

_END = re.compile(r"[.!?…]+[\"'”’」』)\]]*(?=\s)|[。！？]+[\"'”’」』)\]]*|\n")
_LETTER = re.compile(r"[^\W\d_]")


class SentenceReader:
    """Takes the pieces of a text and gives its sentences, each as soon as what follows shows its end.

    A line break ends a sentence too. What holds no letter, as the "1." of a list, belongs to what follows.
    """

    def __init__(self) -> None:
        self._text = ""

    def add(self, piece: str) -> list[str]:
        """The sentences that are finished now, in order."""
        self._text += piece
        return list(self._finished())

    def rest(self) -> str:
        """What is left once nothing follows; empty where the last sentence was given."""
        text, self._text = self._text.strip(), ""
        return text

    def _finished(self) -> Iterator[str]:
        start = 0
        for end in _END.finditer(self._text):
            if _LETTER.search(self._text, start, end.end()):
                yield self._text[start : end.end()].strip()
                start = end.end()
        self._text = self._text[start:]
