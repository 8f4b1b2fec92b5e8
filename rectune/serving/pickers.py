"""Finding items of the catalogue by the beginning of their titles, for pickers."""

from __future__ import annotations

from collections.abc import Mapping
from heapq import nsmallest

from rectune.core.types import Item
from rectune.serving.store.items import fold


class TitlePicker:
    """The titles of a catalogue, folded once.

    Args:
        items: by id.
    """

    def __init__(self, items: Mapping[str, Item]) -> None:
        self.items = items
        self._titles = [(fold(item.title), item.item_id) for item in items.values()]

    def find(self, words: str, limit: int) -> list[Item]:
        """Items whose titles begin with the words, then those that contain them, each by title.

        Case and the width of letters do not matter. No words find the first of all.
        """
        wanted = fold(words)
        hits = (
            (not title.startswith(wanted), title, item_id)
            for title, item_id in self._titles
            if wanted in title
        )
        return [self.items[item_id] for *_, item_id in nsmallest(limit, hits)]
