"""The titles of one domain: what an answer recommends, and which items bear that title."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rectune.core.catalogue import Catalogue
from rectune.core.types import Item, Prompt
from rectune.prompts.answers import Reading, read_answer
from rectune.prompts.titles import TitleIndex


class Titled:
    """An index of titles, made once a domain."""

    def __init__(self, items: Sequence[Item]) -> None:
        self.index = TitleIndex([item.title for item in items])
        self._ids = [item.item_id for item in items]
        self._place = {item_id: place for place, item_id in enumerate(self._ids)}
        self._bearers: dict[str, set[str]] = {}
        for item in items:
            self._bearers.setdefault(item.title, set()).add(item.item_id)

    def read(self, prompt: Prompt, answer: str) -> Reading:
        """What the answer to a prompt recommends."""
        return read_answer(answer, self.index, self.shown(prompt))

    def shown(self, prompt: Prompt) -> list[int]:
        """Where the prompt's candidates stand in the index."""
        return [self._place[item] for item in prompt.candidates if item in self._place]

    def named(self, reading: Reading) -> set[str]:
        """The items that bear the recommended title: the answer cannot tell them apart, so any of them counts."""
        return set() if reading.recommended is None else self._bearers[self.index.titles[reading.recommended]]

    def titles(self, reading: Reading) -> list[str]:
        """What the answer names, in its order."""
        return [self.index.titles[item] for item in reading.items]


def titled(catalogue: Catalogue, domains: Iterable[str]) -> dict[str, Titled]:
    """The titles of these domains."""
    return {domain: Titled(catalogue.of(domain)) for domain in sorted(domains)}
