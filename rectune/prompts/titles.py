"""Titles as sequences of words.

Two spellings are one title where their words are equal: Unicode NFKC, case folded, HTML entities resolved,
everything between the words ignored. So "Spider-Man" is "Spider Man", and "Alien" is never found in "Aliens".
Titles that differ in signs alone ("C++", "C#") are told apart by their signs, and a title without any word
("!!!") is compared sign by sign. `rectune.prompts.title_index` looks titles up.
"""

from __future__ import annotations

import html
import re
import unicodedata
from dataclasses import dataclass

from rectune.core.text.leading_article import upright
from rectune.prompts.locale_words import one_line

MOST_WORDS = 64  # a longer title is known by its whole line only, not within running text

_MARKS = "\u0300-\u036f"  # accents that stand behind their letter
_WORD = re.compile(rf"[^\W_]+(?:[{_MARKS}]+[^\W_]*)*")
# With its semicolon only: "Rock&reggae" holds no entity.
_ENTITY = re.compile(r"&(?:#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});")
YEAR = r"[(\[（]\s?\d{4}(?:\s?[-–]\s?(?:\d{4})?)?\s?[)\]）]"  # in brackets, or a span of them
_YEAR = re.compile(YEAR)
_YEAR_AT_END = re.compile(YEAR + "$")
_YEAR_LENGTH = 16  # characters that a year in brackets takes at most


@dataclass(frozen=True, slots=True)
class TitleWord:
    """A folded word and the characters of the text that it stands for."""

    text: str
    start: int
    end: int


def fold(text: str) -> str:
    """What two spellings of one word have in common: NFKC and case folded."""
    return unicodedata.normalize("NFKC", text).casefold()


def split_words(text: str) -> list[TitleWord]:
    """The words of a text, in order."""
    return [TitleWord(fold(m.group()), m.start(), m.end()) for m in _WORD.finditer(text)]


def key_of(text: str) -> str:
    """The words of a title joined by spaces; its folded signs if it has no word."""
    return fold(" ".join(_WORD.findall(text)) or one_line(text))


def unescape(text: str) -> tuple[str, list[int]]:
    """The text with HTML entities decoded, and each character's old place; no places if nothing changed."""
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


def plain_title(title: str) -> str:
    """What the spellings of one title have in common, wherever its article stands."""
    return key_of(upright(title))


def name_of(title: str) -> str:
    """The plain title without years in brackets."""
    return plain_title(_YEAR.sub("", unescape(title)[0]))


def without_year(title: str) -> str:
    """The title without the year in brackets that it ends with; empty if it has none, or is nothing else."""
    bare = title.rstrip()
    tail = bare[-_YEAR_LENGTH:]
    year = _YEAR_AT_END.search(tail)
    return bare[: len(bare) - len(tail) + year.start()].rstrip() if year else ""
