"""The words by which a catalogue knows its items: categories, makers, values of facts, decades.

They are found in running text, case, plural and Korean particles aside; categories by their standard names in
the other language, too (`rectune.prompts.genre_names`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

from rectune.core.item_values import categories_of, facts_by_value, is_maker, makers_of
from rectune.core.types import ORIGINAL_TITLE, Item
from rectune.dialogue.item_years import year_of
from rectune.prompts.genre_names import names_for, qualities_for
from rectune.prompts.title_matching import without_particle
from rectune.prompts.titles import TitleWord, fold, split_words

_HANGUL = re.compile("[가-힣]")
_SHORTEST = 2  # letters of a value that is looked for in running text
_LONGEST = 6  # words of a value
_DECADE = re.compile(r"(?<!\d)(?P<year>(?:19|20)?\d0)(?:['’]?s\b|\s?년대)")
_YEAR = re.compile(r"(?<![\d.])(?P<year>(?:19|20)\d\d)(?![\d'’s]|\s?년대)(?:\s?년)?")
# What Korean speakers add to a category, without a space: 공포영화, 스릴러물.
_COPULAS = (
    "이요",
    "이에요",
    "이예요",
    "이거든요",
    "이거든",
    "거든",
    "이야",
    "예요",
    "에요",
    "야",
    "죠",
    "요",
)
_SUFFIXES = ("영화", "소설", "게임", "만화", "작품", "장르", "애니", "음악", "물", "류", "책")


@dataclass(frozen=True, slots=True)
class Term:
    """A word of the catalogue: `category`, `maker`, `decade`, `year` or a fact's name; and the value."""

    aspect: str
    value: str


@dataclass(frozen=True, slots=True)
class TermMention:
    """A term and the characters of a text that name it."""

    term: Term
    start: int
    end: int


class CatalogueTerms:
    """The terms of a catalogue, and which items have them. It holds nothing of a person.

    Args:
        items: the catalogue, by id.
    """

    def __init__(self, items: Mapping[str, Item]) -> None:
        self._items = items

    def find(self, text: str) -> list[TermMention]:
        """The terms that a text names, in its order; of overlapping ones the longest that begins first."""
        taken = list(self._years(text))
        words, place = split_words(text), 0
        while place < len(words):
            found = self._longest(text, words, place)
            if found is None:
                place += 1
                continue
            mention, count = found
            if not any(mention.start < one.end and one.start < mention.end for one in taken):
                taken.append(mention)
            place += count
        return sorted(taken, key=lambda one: one.start)

    def ids(self, value: str) -> frozenset[str]:
        """The items that have a value: a category, a maker, a fact, or a decade as `1990s`; case aside."""
        return self._by_value.get(fold(value), frozenset())

    def categories(self) -> dict[str, frozenset[str]]:
        """Each category as the catalogue has it, and the ids of its items; not of those of which another fact
        says the same.
        """
        return dict(self._by_category)

    def has(self, value: str) -> bool:
        """Whether some item has this value."""
        return fold(value) in self._by_value

    @cached_property
    def _by_value(self) -> dict[str, frozenset[str]]:
        found: dict[str, set[str]] = {}
        for id, item in self._items.items():
            values = {*categories_of(item), *makers_of(item), *facts_by_value(item)}
            if (year := year_of(item)) is not None:
                values |= {f"{year // 10 * 10}s", str(year)}
            for value in values:
                found.setdefault(fold(value), set()).add(id)
        for name, category in self._other_names.items():
            found.setdefault(fold(name), found[fold(category)])
        return {value: frozenset(ids) for value, ids in found.items()}

    @cached_property
    def _by_category(self) -> dict[str, frozenset[str]]:
        found: dict[str, tuple[str, set[str]]] = {}
        for id, item in self._items.items():
            for key, shown in categories_of(item).items():
                found.setdefault(key, (shown, set()))[1].add(id)
        return {shown: frozenset(ids) for shown, ids in found.values()}

    @cached_property
    def _other_names(self) -> dict[str, str]:
        """Names of the categories in another language, or another one in this, and what is said of them: 공포
        and scary for Horror.
        """
        shown = sorted({one for item in self._items.values() for one in categories_of(item).values()})
        return {**qualities_for(shown), **names_for(shown)}

    @cached_property
    def _by_words(self) -> dict[tuple[str, ...], Term]:
        found: dict[tuple[str, ...], Term] = {}
        for aspect in ("category", "maker", "fact"):
            for item in self._items.values():
                for term in _terms(item, aspect):
                    words = tuple(singular(word.text) for word in split_words(term.value))
                    if words and len(words) <= _LONGEST and len("".join(words)) >= _SHORTEST:
                        found.setdefault(words, term)
                        found.setdefault(("".join(words),), term)  # "scifi" for Sci-Fi
        for name, category in self._other_names.items():
            words = tuple(singular(word.text) for word in split_words(name))
            if words and len("".join(words)) >= _SHORTEST:
                found.setdefault(words, Term("category", category))
        return found

    @cached_property
    def _lengths(self) -> dict[str, int]:
        """First word -> the most words of a term that begins with it."""
        found: dict[str, int] = {}
        for words in self._by_words:
            found[words[0]] = max(found.get(words[0], 0), len(words))
        return found

    def _longest(self, text: str, words: list[TitleWord], place: int) -> tuple[TermMention, int] | None:
        first = list(_forms(words[place].text))
        most = max((self._lengths.get(form, 0) for form in first), default=0)
        for count in range(min(most, len(words) - place), 0, -1):
            some = words[place : place + count]
            head = [singular(word.text) for word in some[:-1]]
            for form in _forms(some[-1].text):
                if term := self._by_words.get((*head, form)):
                    return TermMention(term, some[0].start, some[-1].end), count
        return None

    def _years(self, text: str) -> Iterator[TermMention]:
        if not any(year_of(item) is not None for item in self._items.values()):
            return
        for found in _DECADE.finditer(text):
            year = int(found["year"])
            year += 0 if year > 99 else 2000 if year < 30 else 1900
            yield TermMention(Term("decade", f"{year}s"), *found.span())
        for found in _YEAR.finditer(text):
            yield TermMention(Term("year", found["year"]), *found.span())


def singular(word: str) -> str:
    """An English word without the ending of its plural; others as they are. Only equal things are compared
    by it, so that it need not be a word.
    """
    if not word.isascii() or len(word) < 4 or word.endswith("ss"):
        return word
    return word[:-3] + "y" if word.endswith("ies") else word.removesuffix("s")


def _terms(item: Item, aspect: str) -> Iterator[Term]:
    if aspect == "category":
        yield from (Term("category", shown) for shown in categories_of(item).values())
    elif aspect == "maker":
        yield from (Term("maker", shown) for shown in makers_of(item).values())
    else:
        for name, shown in facts_by_value(item).values():
            if not is_maker(name) and name != ORIGINAL_TITLE:
                yield Term(name, shown)


def _forms(word: str) -> Iterator[str]:
    """The word as terms may have it: in the singular; a Korean one without particle and added noun."""
    if not _HANGUL.search(word):
        yield singular(word)
        return
    bare = [word.removesuffix(end) for end in _COPULAS if word.endswith(end) and len(word) > len(end) + 1]
    for form in [*without_particle(word), *bare]:
        yield form
        yield from (form[: -len(end)] for end in _SUFFIXES if form.endswith(end) and len(form) > len(end) + 1)
