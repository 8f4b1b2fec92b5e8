"""JSON in which no object has a key twice: of two values one would win, and not the same one everywhere."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class RepeatedKey:
    """Stands in the place of a value in which an object has this key twice."""

    key: str

    @property
    def fault(self) -> str:
        """What is wrong, in words."""
        return f"has the key {self.key} twice in one object"


class StrictJson:
    """Decodes JSON; a value that has a key twice in any of its objects comes as `RepeatedKey`.

    One decoder is for one thread.
    """

    def __init__(self) -> None:
        self._repeated: RepeatedKey | None = None
        self._decoder = json.JSONDecoder(object_pairs_hook=self._object)

    def decode(self, text: str) -> Any:
        """The value that a text is.

        Raises:
            ValueError: it is not JSON.
            RecursionError: it is nested too deeply.
        """
        self._repeated = None
        value = self._decoder.decode(text)
        return self._repeated or value

    def raw_decode(self, text: str, place: int) -> tuple[Any, int]:
        """The value that begins at a place in a text, and where it ends; see `decode`."""
        self._repeated = None
        value, end = self._decoder.raw_decode(text, place)
        return self._repeated or value, end

    def _object(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) < len(pairs):
            names = [name for name, _ in pairs]
            self._repeated = RepeatedKey(next(name for at, name in enumerate(names) if name in names[:at]))
        return found
