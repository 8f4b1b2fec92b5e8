"""Incremental detokenisation: bytes of tokens in, whole characters out; stop strings are never shown."""

from __future__ import annotations

import codecs
from collections.abc import Sequence


class Detokenizer:
    """Collects the pieces of one answer.

    A character cut in half by the answer's end is left out; bytes that never were UTF-8 become U+FFFD.
    """

    def __init__(self, stops: Sequence[str]) -> None:
        self._stops = [stop.encode("utf-8", "surrogatepass") for stop in stops if stop]
        beginnings = {stop[:length] for stop in self._stops for length in range(1, len(stop))}
        self._beginnings = sorted(beginnings, key=len, reverse=True)
        self._decode = codecs.getincrementaldecoder("utf-8")("replace").decode
        self._pending = bytearray()  # what may begin a stop string
        self._given: list[str] = []

    @property
    def text(self) -> str:
        """All text returned so far."""
        return "".join(self._given)

    def add(self, piece: bytes) -> tuple[str, bool]:
        """The text that is final now, and whether a stop string has ended the answer."""
        self._pending += piece
        places = [place for stop in self._stops if (place := self._pending.find(stop)) >= 0]
        if places:
            text = self._give(min(places))
            self._pending.clear()
            return text, True
        begun = next((len(start) for start in self._beginnings if self._pending.endswith(start)), 0)
        return self._give(len(self._pending) - begun), False

    def rest(self) -> str:
        """The text held back, once nothing follows."""
        return self._give(len(self._pending))

    def _give(self, length: int) -> str:
        text = self._decode(bytes(self._pending[:length]))
        del self._pending[:length]
        if text:
            self._given.append(text)
        return text
