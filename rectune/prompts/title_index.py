"""The index for looking titles up: exact, without their year, or misspelt."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Self

from rectune.core.text.leading_article import upright
from rectune.core.types import Item
from rectune.prompts.locale_words import one_line
from rectune.prompts.other_titles import OtherTitles
from rectune.prompts.titles import MOST_WORDS, fold, key_of, name_of, plain_title, unescape, without_year

_NUMBER = re.compile(r"\d+|\b[ivx]+\b")  # in digits or Roman
# From which ratio on words are a title that is misspelt (see `TitleIndex.alike`).
_ALIKE = 0.85
_SHORT, _ALIKE_SHORT = 8, 0.93  # for titles under 8 characters, where one letter is another word
_ARTICLE = "the "
_REPLACED = 4  # letters of a long title that may be others: a ratio alone would allow whole words


@dataclass(frozen=True, slots=True)
class TitleMatch:
    """A title by its index; `short`: the text left out the title's year."""

    index: int
    short: bool


# Called only where it is needed, which is seldom.
Spellings = Callable[[], Iterable[str]]


class TitleIndex:
    """The titles of one domain: which items a text means, by their exact, short or misspelt titles.

    A title that ends with a year in brackets is also known without it, unless several titles share that short
    form; one with its article at the end ("Postman, The") also with it in front. Of items with the same title
    the first represents all. An item is found by its further titles too (`OtherTitles`). Search structures
    are built on first use; time and memory are linear in the titles' length.

    Attributes:
        items: the items in their order; everything here counts places in it, from 0.
        titles: of the items.
    """

    def __init__(self, items: Iterable[Item]) -> None:
        self.items = tuple(items)
        self.titles = [item.title for item in self.items]

    @classmethod
    def of_titles(cls, titles: Iterable[str]) -> Self:
        """An index of titles without items."""
        return cls(Item("", "", title) for title in titles)

    def item(self, item_id: str) -> Item:
        """The item of an id; KeyError where there is none."""
        return self.items[self._by_id[item_id]]

    def places(self, item_ids: Iterable[str]) -> list[int]:
        """The places of the items with these ids, in their order; unknown ids are left out."""
        return [self._by_id[item_id] for item_id in item_ids if item_id in self._by_id]

    @cached_property
    def distinct(self) -> list[str]:
        """All titles in their order, each once, as its first item has it; no blank ones."""
        return [self.titles[places[0]] for places in self._by_title.values()]

    def bearers(self, title: str) -> list[Item]:
        """The items with this title, ignoring case: a text cannot distinguish them."""
        return [self.items[place] for place in self._by_title.get(_spelling(title), ())]

    def ids(self, place: int | None) -> frozenset[str]:
        """The ids of the items with the title at a place; none for None."""
        bearers = [] if place is None else self.bearers(self.titles[place])
        return frozenset(item.item_id for item in bearers)

    def called(self, typed: str) -> list[Item]:
        """The items meant by typed text: a title, ignoring case and punctuation, or a misspelt one."""
        place, _ = self.alike(typed)
        if place is None:
            return []
        title = plain_title(self.titles[place])
        name = name_of(self.titles[place])
        same = self._by_name[_numbers(name)][name]
        return [self.items[other] for other in same if plain_title(self.titles[other]) == title]

    def has(self, typed: str) -> bool:
        """Whether a title has these very words, case, punctuation, the year in brackets and the article's
        place aside.
        """
        name = name_of(typed)
        return name in self._by_name.get(_numbers(name), ())

    def alike(self, words: str) -> tuple[int | None, float]:
        """The place of the title that these words misspell, and their similarity, 0 to 1; (None, 0) if none.

        Years in brackets only distinguish titles that are otherwise equal; other numbers make it another work
        ("Alien 2", "Rocky III"). The similarity is 1 - d / n, with d the number of insertions and deletions
        that make both equal (rapidfuzz's `fuzz.ratio`, the normalised indel similarity) and n the letters of
        both.
        """
        from rapidfuzz import fuzz, process

        name = name_of(words)
        names = self._by_name.get(_numbers(name), {})
        enough = max(_ALIKE, 1 - _REPLACED / max(1, len(name)))
        found = (name, 100.0, 0) if name in names else None
        found = found or process.extractOne(name, names.keys(), scorer=fuzz.ratio, score_cutoff=100 * enough)
        if not found:
            return None, 0.0
        whole, similarity = plain_title(words), found[1] / 100
        spelt = [(plain_title(self._known[at]), at) for at in names[found[0]]]
        title, nearest = max(spelt, key=lambda one: (fuzz.ratio(whole, one[0]), self._known[one[1]]))
        if len(title) < _SHORT and similarity < _ALIKE_SHORT:
            return None, 0.0
        further = nearest - len(self.titles)
        return nearest if further < 0 else self.others.titles[further][0], similarity

    def preferring(self, shown: Sequence[int]) -> Self:
        """An index in which the titles at some places are preferred: those that a prompt showed.

        Where words match a title that was shown and another one, the shown one is meant.
        """
        index = copy.copy(self)
        index._tables = (_WordTable(self.titles, shown, self.others.among(shown)), *self._tables)
        return index

    def lengths(self, first: str) -> int:
        """Bit n - 1 is set if a title of n words, or its short form, begins with this word."""
        found = 0
        for table in self._tables:
            found |= table.lengths.get(first, 0)
        return found

    def resolve(self, key: str, spellings: Spellings) -> TitleMatch | None:
        """The title with these words; `spellings` are tried in turn where signs distinguish titles.

        None also if several titles match equally well.
        """
        for table in self._tables:
            hit = table.resolve(key, spellings)
            if hit or table.ambiguous(key):
                return hit
        return None

    @cached_property
    def _tables(self) -> tuple[_WordTable, ...]:
        return (_WordTable(self.titles, range(len(self.titles)), self.others.titles),)

    @cached_property
    def others(self) -> OtherTitles:
        """The further titles of the items."""
        return OtherTitles.of(self.items)

    @cached_property
    def _by_id(self) -> dict[str, int]:
        return {item.item_id: place for place, item in reversed(list(enumerate(self.items)))}

    @cached_property
    def _by_title(self) -> dict[str, list[int]]:
        found: dict[str, list[int]] = {}
        for place, title in enumerate(self.titles):
            if spelling := _spelling(title):
                found.setdefault(spelling, []).append(place)
        return found

    @cached_property
    def _known(self) -> list[str]:
        """The titles by their places, and behind them the further ones in their order."""
        return [*self.titles, *(title for _, title in self.others.titles)]

    @cached_property
    def _by_name(self) -> dict[tuple[str, ...], dict[str, list[int]]]:
        """Places in `_known` by the titles' names (see `name_of`), and these by the numbers in them.

        "Matrix" is a name of "The Matrix" too, where it is not another title's own.
        """
        found: dict[tuple[str, ...], dict[str, list[int]]] = {}
        for place, title in enumerate(self._known):
            if name := name_of(title):
                found.setdefault(_numbers(name), {}).setdefault(name, []).append(place)
        for names in found.values():
            for name, places in [*names.items()]:
                names.setdefault(name.removeprefix(_ARTICLE), places)
        return found


class TitleIndexes(dict[str, TitleIndex]):
    """The index of each domain's titles, built on first use; an empty one for a domain without items.

    Args:
        items: of any number of domains; of items with one domain and id the first stays.
    """

    def __init__(self, items: Iterable[Item]) -> None:
        super().__init__()
        self._items: dict[str, dict[str, Item]] = {}
        for item in items:
            self._items.setdefault(item.domain, {}).setdefault(item.item_id, item)

    def __missing__(self, domain: str) -> TitleIndex:
        return self.setdefault(domain, TitleIndex(self._items.get(domain, {}).values()))


class _WordTable:
    """Some of the titles by their words.

    Args:
        titles: all titles.
        places: which of them.
        others: places and further titles; they give way to all others.
    """

    def __init__(
        self, titles: Sequence[str], places: Iterable[int], others: Iterable[tuple[int, str]]
    ) -> None:
        self.lengths: dict[str, int] = {}  # see `TitleIndex.lengths`
        self._titles = titles
        self._full: dict[str, int] = {}
        self._short: dict[str, int] = {}  # -1 where several titles share it
        # Of titles with equal words, each way of writing them.
        self._spellings: dict[str, dict[str, int]] = {}
        for place in places:
            self._add(place, unescape(titles[place])[0])
        for place, title in others:
            for key in (key_of(title), key_of(upright(title))):
                if key and key not in self._full and key not in self._short:
                    self._full[key] = place
                    self._note_length(key)

    def resolve(self, key: str, spellings: Spellings) -> TitleMatch | None:
        """See `TitleIndex.resolve`."""
        index = self._full.get(key)
        if index is None:
            short = self._short.get(key, -1)
            return TitleMatch(short, True) if short >= 0 else None
        ways = self._spellings.get(key)
        if ways:
            index = next(
                (ways[way] for spelt in spellings() for way in (spelt, fold(spelt)) if way in ways), -1
            )
        return TitleMatch(index, False) if index >= 0 else None

    def ambiguous(self, key: str) -> bool:
        """Whether these words are a short form that several titles share."""
        return self._short.get(key) == -1 and key not in self._full

    def _add(self, index: int, title: str) -> None:
        key = key_of(title)
        if not key:
            return
        if key not in self._full:
            self._full[key] = index
            self._note_length(key)
        else:
            self._note_spelling(key, index, title)
        straight = upright(title)
        if straight != title and self._full.setdefault(key_of(straight), index) == index:
            self._note_length(key_of(straight))
        for short in {without_year(title), without_year(straight)} - {""}:
            self._note_short(key_of(short), key, index)

    def _note_length(self, key: str) -> None:
        count = key.count(" ") + 1
        if count <= MOST_WORDS:
            first = key.partition(" ")[0]
            self.lengths[first] = self.lengths.get(first, 0) | 1 << count - 1

    def _note_spelling(self, key: str, index: int, title: str) -> None:
        first = self._full[key]
        known = self._spelt(first)
        spelt = one_line(title)
        if spelt != known:
            ways = self._spellings.setdefault(key, {known: first, fold(known): first})
            if self._spelt(ways.setdefault(spelt, index)) != spelt:
                ways[spelt] = index  # it was only another title's, folded: "x" means "x" rather than "X"
            ways.setdefault(fold(spelt), index)

    def _spelt(self, index: int) -> str:
        return one_line(unescape(self._titles[index])[0])

    def _note_short(self, short: str, full: str, index: int) -> None:
        known = self._short.get(short)
        if known is None:
            self._short[short] = index
            self._note_length(short)
        elif known >= 0 and key_of(unescape(self._titles[known])[0]) != full:
            self._short[short] = -1


def _spelling(title: str) -> str:
    return fold(one_line(unescape(title)[0]))


def _numbers(name: str) -> tuple[str, ...]:
    return tuple(_NUMBER.findall(name))
