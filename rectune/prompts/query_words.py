"""The words of a query that the catalogue says of an item."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from functools import lru_cache

from rectune.core.extras import is_installed
from rectune.core.text.common_words import GENERAL_ENGLISH, GENERAL_KOREAN
from rectune.core.text.morphemes import morphemes_of
from rectune.core.types import Item
from rectune.prompts.titles import fold, split_words

_HANGUL = re.compile("[가-힣]")
_MOST = 5  # words that are given
_FIRST_SYLLABLE, _FINALS = ord("가"), 28  # of Unicode's syllables, which go by their final consonant
_OF_ADJECTIVES = ("한", "스러운", "로운")  # make an adjective of the noun or root before them
PREDICATE = "/"  # ends the dictionary form of a verb or an adjective: no word has it
# Words of a query that say nothing of what is wanted.
_EMPTY = frozenset(
    "the and for with from that this these those what which when where who how not any all some something "
    "anything about into like want would could should have has are was were you your out one more most than "
    "then very".split()
)
_EMPTY_KOREAN = GENERAL_KOREAN | frozenset(
    "바탕 감독 출연 배우 작가 저자 가수 브랜드 인기 최고 요즘 최근 시대 "
    "날 때 것 곳 번 쪽 수 줄 중 등 편".split()
)


class QueryWords:
    """The words of a query, to be looked for in items.

    Of Korean words what stands before their particles and endings, where `kiwipiepy` is installed; those that
    follow each other in both are given together ("남북 분단"). Verbs and adjectives are found in any of their
    forms (가벼운, 가볍고), and given as the query has them.
    """

    def __init__(self, query: str) -> None:
        self._asked = {fold(word): shown for word, shown in _words(unicodedata.normalize("NFKC", query))}
        self._predicates = any(word.endswith(PREDICATE) for word in self._asked)

    def found_in(self, item: Item) -> list[str]:
        """Those that stand in the catalogue's text of an item, at most five; not empty ones."""
        asked = self._asked
        if not asked:
            return []
        values = (fact.partition(": ")[2] for fact in item.facts)
        told = fold(" . ".join((item.title, *item.categories, item.description, *values)))
        words = {word.text for word in split_words(told)}
        stems = _predicates(told) if self._predicates else frozenset[str]()
        found = [word for word in asked if _stands_in(word, told, words, stems)]
        together = _together(found, list(asked), told)
        return [asked.get(word, word) for word in together if _says_something(word)][:_MOST]


def query_words(item: Item, query: str) -> list[str]:
    """The words of a query that stand in the catalogue's text of one item; see `QueryWords`."""
    return QueryWords(query).found_in(item)


def _stands_in(word: str, told: str, words: AbstractSet[str], stems: AbstractSet[str]) -> bool:
    if word.endswith(PREDICATE):
        return word in stems
    return word in told if _HANGUL.search(word) else word in words


def _words(query: str) -> Iterator[tuple[str, str]]:
    """What is looked for of each word of a query, and how it is shown: of a Korean one its nouns, from its
    beginning, or the dictionary form of a verb or an adjective and a slash.
    """
    korean = _HANGUL.search(query) and is_installed("kiwipiepy")
    told = next(iter(morphemes_of([query]))) if korean else []
    for word in split_words(query):
        inside = [one for one in told if word.start <= one.start < one.end <= word.end]
        nouns = [one.end for one in inside if not one.predicate]
        if not korean or not _HANGUL.search(word.text):
            yield query[word.start : word.end], query[word.start : word.end]
        elif nouns:
            end = max(nouns)
            whole = query[end : word.end] in _OF_ADJECTIVES
            yield query[word.start : end], query[word.start : word.end if whole else end]
        else:
            stems = (one.form for one in inside if one.predicate and _is_telling(one.form))
            yield from ((stem + PREDICATE, query[word.start : word.end]) for stem in stems)


def _is_telling(stem: str) -> bool:
    """Whether a stem is more than an auxiliary: one open syllable (가, 나, 쓰, 치) means too many things."""
    return len(stem) > 1 or (ord(stem) - _FIRST_SYLLABLE) % _FINALS != 0


@lru_cache(maxsize=1024)
def _predicates(told: str) -> frozenset[str]:
    """The dictionary forms of the verbs and adjectives of a text, each with a slash behind it."""
    return frozenset(one.form + PREDICATE for one in next(iter(morphemes_of([told]))) if one.predicate)


def _together(found: list[str], asked: list[str], told: str) -> list[str]:
    """Korean words that follow each other in the query and in the text, as one."""
    parts = list[str]()
    for word in found:
        before = asked.index(word) - 1
        joined = f"{parts[-1]} {word}" if parts else ""
        follows = parts and before >= 0 and parts[-1].endswith(asked[before])
        if follows and _HANGUL.search(word) and joined in told:
            parts[-1] = joined
        else:
            parts.append(word)
    return parts


def _says_something(word: str) -> bool:
    if word.isascii():
        return len(word) > 2 and word not in _EMPTY and word not in GENERAL_ENGLISH
    return word.removesuffix(PREDICATE) not in _EMPTY_KOREAN
