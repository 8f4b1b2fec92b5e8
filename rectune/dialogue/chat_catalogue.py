"""What the rules of a chat know of a catalogue."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from rectune.core.types import Item
from rectune.dialogue.catalogue_terms import CatalogueTerms
from rectune.prompts.title_index import TitleIndex
from rectune.prompts.title_matching import PARTICLES, find_all


@dataclass(frozen=True, slots=True)
class Named:
    """An item that a message names, and the characters that do."""

    item: Item
    start: int
    end: int


@dataclass(frozen=True)
class ChatCatalogue:
    """What the rules know of the catalogue that is talked about. It holds nothing of a person.

    Attributes:
        items: the catalogue, by id.
        titles: its titles.
        foreign: titles of other domains, whose items are only searched with.
    """

    items: Mapping[str, Item]
    titles: TitleIndex
    foreign: Mapping[str, TitleIndex]

    @cached_property
    def terms(self) -> CatalogueTerms:
        """Its categories, makers, values of facts and decades."""
        return CatalogueTerms(self.items)


def item_called(words: str, titles: TitleIndex) -> Item | None:
    """The item whose title the words are, nothing besides, in whatever case; a particle may follow."""
    if len(words) < 2:
        return None
    if titles.has(words):
        return next(iter(titles.called(words)), None)
    whole = [
        one for one in find_all(titles, words) if one.start == 0 and words[one.end :] in ("", *PARTICLES)
    ]
    return titles.items[whole[0].index] if whole else None
