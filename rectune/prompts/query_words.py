"""The words of a query that the catalogue says of an item."""

from __future__ import annotations

import re

from rectune.core.extras import is_installed
from rectune.core.text.common_words import GENERAL_KOREAN
from rectune.core.text.morphemes import morphemes_of
from rectune.core.types import Item
from rectune.prompts.titles import split_words

_HANGUL = re.compile("[가-힣]")
_MOST = 5  # words that are given
# Words of a query that say nothing of what is wanted.
_EMPTY = frozenset(
    "the and for with from that this these those what which when where who how not any all some something "
    "anything about into like want would could should have has are was were you your out one more most than "
    "then very".split()
)


def query_words(item: Item, query: str) -> list[str]:
    """The words of a query that stand in the catalogue's text of an item, at most five; not empty ones.

    Of Korean they are nouns without their particles, where `kiwipiepy` is installed.
    """
    asked = dict.fromkeys(_words(query))
    if not asked:
        return []
    values = (fact.partition(": ")[2] for fact in item.facts)
    told = set(_words(" . ".join((item.title, *item.categories, item.description, *values))))
    return [word for word in asked if word in told and _says_something(word)][:_MOST]


def _words(text: str) -> list[str]:
    if not _HANGUL.search(text) or not is_installed("kiwipiepy"):
        return [word.text for word in split_words(text)]
    (found,) = morphemes_of([text])
    latin = [word.text for word in split_words(text) if not _HANGUL.search(word.text)]
    return [one.form for one in found if not one.predicate and _HANGUL.search(one.form)] + latin


def _says_something(word: str) -> bool:
    if word.isascii():
        return len(word) > 2 and word not in _EMPTY
    return word not in GENERAL_KOREAN
