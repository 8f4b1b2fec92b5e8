"""Titles as sequences of words, and an index that looks them up.

Two spellings are one title where their words are equal: Unicode NFKC, case folded, HTML entities resolved, everything
between the words ignored. So "Spider-Man" is "Spider Man", and "Alien" is never found in "Aliens". Titles that differ in
signs alone ("C++", "C#") are told apart by their signs, and a title without any word ("!!!") is compared sign by sign.
"""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from rectune.prompts.words import one_line

MOST_WORDS = 64  # a longer title is known by its whole line only, not within running text

_MARKS = "\u0300-\u036f"  # accents that stand behind their letter
_WORD = re.compile(rf"[^\W_]+(?:[{_MARKS}]+[^\W_]*)*")
# With its semicolon only: "Rock&reggae" holds no entity.
_ENTITY = re.compile(r"&(?:#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});")
YEAR = r"[(\[（]\s?\d{4}(?:\s?[-–]\s?(?:\d{4})?)?\s?[)\]）]"  # in brackets, or a span of them
_YEAR = re.compile(YEAR + "$")
_ARTICLES = (
    "The|A|An|La|Le|Les|L'|Un|Une|Il|Lo|I|Gli|Una|El|Los|Las|Der|Die|Das|Ein|Eine|O|Os|As|Den|Det|De|En"
)
_MOVED = re.compile(
    rf"(?P<begin>^|\()(?P<name>[^()]+(?:\([^()]*\))?), (?P<article>{_ARTICLES})(?=\s*(?:\(|\)|$))"
)
_YEAR_LENGTH = 16  # characters that a year in brackets takes at most


@dataclass(frozen=True, slots=True)
class Word:
    """A folded word and the characters of the text that it stands for."""

    text: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Hit:
    """A title by its index; `short` says that the year it bears was not written."""

    index: int
    short: bool


# Called only where it is needed, which is seldom.
Spellings = Callable[[], Iterable[str]]


class Titles(Protocol):
    """What the search in texts asks of an index."""

    titles: Sequence[str]

    def lengths(self, first: str) -> int:
        """Bit n - 1 is set if a title of n words, or its short form, begins with this word."""
        ...

    def resolve(self, key: str, spellings: Spellings) -> Hit | None:
        """The title with these words; `spellings` are tried in turn where signs tell titles apart."""
        ...


def fold(text: str) -> str:
    """What two spellings of one word have in common: NFKC and case folded."""
    return unicodedata.normalize("NFKC", text).casefold()


def split_words(text: str) -> list[Word]:
    """The words of a text, in order."""
    return [Word(fold(m.group()), m.start(), m.end()) for m in _WORD.finditer(text)]


def key_of(text: str) -> str:
    """The words of a title joined by spaces; its folded signs if it has no word."""
    return " ".join(fold(word) for word in _WORD.findall(text)) or fold(one_line(text))


def unescape(text: str) -> tuple[str, list[int]]:
    """The text without HTML entities, and where each of its characters stood; no places where nothing changed."""
    found = list(_ENTITY.finditer(text)) if "&" in text else []
    if not found:
        return text, []
    parts, places, done = list[str](), list[int](), 0
    for entity in found:
        # An entity may stand for a line break, which would make two lines of a title.
        plain = " ".join(html.unescape(entity.group()).split()) or " "
        parts += [text[done : entity.start()], plain]
        places += [*range(done, entity.start()), *[entity.start()] * len(plain)]
        done = entity.end()
    return "".join([*parts, text[done:]]), [*places, *range(done, len(text) + 1)]


def upright(title: str) -> str:
    """The title with articles in front that catalogues move behind: `Postman, The (1994)` is `The Postman (1994)`."""
    return _MOVED.sub(_in_front, title) if ", " in title else title


def _in_front(match: re.Match[str]) -> str:
    gap = "" if match["article"].endswith("'") else " "
    return f"{match['begin']}{match['article']}{gap}{match['name'].strip()}"


def without_year(title: str) -> str:
    """The title without the year in brackets that it ends with; empty if it has none, or is nothing else."""
    bare = title.rstrip()
    tail = bare[-_YEAR_LENGTH:]
    year = _YEAR.search(tail)
    return bare[: len(bare) - len(tail) + year.start()].rstrip() if year else ""


class TitleIndex:
    """Titles by their words, to find them in many texts. Time and memory are linear in the titles' length.

    A title that ends with a year in brackets is also known without it, unless several titles share that short form; one
    whose article stands behind ("Postman, The") also with it in front. Of items with the very same title the first stands
    for all.
    """

    def __init__(self, titles: Sequence[str]) -> None:
        self.titles = titles
        self._full: dict[str, int] = {}
        self._short: dict[str, int] = {}  # -1 where several titles share it
        self._spellings: dict[
            str, dict[str, int]
        ] = {}  # of titles with equal words, each way of writing them
        self._lengths: dict[str, int] = {}
        for index, title in enumerate(titles):
            self._add(index, unescape(title)[0])

    def lengths(self, first: str) -> int:
        """See `Titles.lengths`."""
        return self._lengths.get(first, 0)

    def resolve(self, key: str, spellings: Spellings) -> Hit | None:
        """See `Titles.resolve`; None also where several titles are meant equally well."""
        index = self._full.get(key)
        if index is None:
            short = self._short.get(key, -1)
            return Hit(short, True) if short >= 0 else None
        ways = self._spellings.get(key)
        if ways:
            index = next(
                (ways[way] for spelt in spellings() for way in (spelt, fold(spelt)) if way in ways), -1
            )
        return Hit(index, False) if index >= 0 else None

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
            self._lengths[first] = self._lengths.get(first, 0) | 1 << count - 1

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
        return one_line(unescape(self.titles[index])[0])

    def _note_short(self, short: str, full: str, index: int) -> None:
        known = self._short.get(short)
        if known is None:
            self._short[short] = index
            self._note_length(short)
        elif known >= 0 and key_of(unescape(self.titles[known])[0]) != full:
            self._short[short] = -1


class Preferring:
    """An index in which some titles are preferred: those that a prompt showed.

    Where words stand for a title that was shown, and for another, the one that was shown is meant.
    """

    def __init__(self, everything: TitleIndex, shown: Sequence[int]) -> None:
        self.titles = everything.titles
        self._everything, self._shown = everything, shown
        self._few = TitleIndex([everything.titles[index] for index in shown])

    def lengths(self, first: str) -> int:
        """See `Titles.lengths`."""
        return self._few.lengths(first) | self._everything.lengths(first)

    def resolve(self, key: str, spellings: Spellings) -> Hit | None:
        """See `Titles.resolve`."""
        hit = self._few.resolve(key, spellings)
        if hit:
            return Hit(self._shown[hit.index], hit.short)
        return None if self._few.ambiguous(key) else self._everything.resolve(key, spellings)
