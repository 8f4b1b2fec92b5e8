"""The words of a query that the catalogue says of an item."""

from __future__ import annotations

from rectune.core.types import Item
from rectune.prompts.titles import split_words

_MOST = 5  # words that are given
# Words of a query that say nothing of what is wanted.
_EMPTY = frozenset(
    "the and for with from that this these those what which when where who how not any all some something "
    "anything about into like want would could should have has are was were you your out one more most than "
    "then very".split()
)


def query_words(item: Item, query: str) -> list[str]:
    """The words of a query that stand in the catalogue's text of an item, at most five; not empty ones."""
    asked = dict.fromkeys(word.text for word in split_words(query))
    if not asked:
        return []
    texts = (item.title, *item.categories, item.description, *item.facts)
    told = {word.text for text in texts for word in split_words(text)}
    return [word for word in asked if word in told and _says_something(word)][:_MOST]


def _says_something(word: str) -> bool:
    return not word.isascii() or (len(word) > 2 and word not in _EMPTY)
