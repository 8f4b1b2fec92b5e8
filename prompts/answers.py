"""Reading items out of answers, ours and a model's; the one parser that every stage uses.

Titles are compared as sequences of words (Unicode NFKC, case folded, punctuation ignored), so that "Spider-Man" is
"Spider Man" but "Alien" is never found in "Aliens". Where titles overlap the longest wins. A Korean title may carry a
particle ("기생충을").
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field

from rectune.types import Locale

CLOSINGS: dict[Locale, str] = {"en": "My recommendation:", "ko": "추천:"}

_WORD = re.compile(r"\w+", re.UNICODE)
SURE = 0.5  # a mention below it may be an ordinary word
_QUOTES = "\"'“”‘’«»*_「」『』《》〈〉"
# Longest first, so that "으로" is not taken for "로" on a title that ends in "으".
# fmt: off
_PARTICLES = (
    "입니다", "이라는", "이에요", "으로", "에서", "에게", "라는", "예요", "처럼", "보다", "까지", "부터",
    "을", "를", "이", "가", "은", "는", "의", "와", "과", "도", "로", "에", "만",
)
# fmt: on


@dataclass(frozen=True, slots=True)
class Mention:
    """A title found in a text.

    `index` is its place in the list of titles, `start` and `end` characters of the text. `certainty` is 1.0 for the title
    that an answer ends on after the closing words, 0.9 in quotation marks, 0.7 in running text, and 0.3 for a single
    short word in running text that is not told from an ordinary one by the title's own capitals ("it", "her", and "It"
    at the beginning of a sentence).
    """

    index: int
    start: int
    end: int
    certainty: float


def closing(locale: Locale, title: str) -> str:
    """The sentence that ends every response: it names the item exactly as in the catalogue."""
    return f"{CLOSINGS[locale]} {title}"


def find_items(text: str, titles: Sequence[str]) -> list[Mention]:
    """All titles named in a text, in the order of the text, each place once. For many texts keep a `TitleIndex`."""
    return TitleIndex(titles).find(text)


def recommended(text: str, titles: Sequence[str]) -> Mention | None:
    """The item that the answer ends on, or None; see `TitleIndex.recommended`."""
    return TitleIndex(titles).recommended(text)


@dataclass(frozen=True, slots=True)
class _Word:
    text: str
    start: int
    end: int


def _words(text: str) -> list[_Word]:
    return [_Word(fold(m.group()), m.start(), m.end()) for m in _WORD.finditer(text)]


def fold(text: str) -> str:
    """What two spellings of one title have in common: NFKC and case folded."""
    return unicodedata.normalize("NFKC", text).casefold()


@dataclass
class TitleIndex:
    """Titles by their first word, to find them in many texts; building is linear in the titles' length."""

    titles: Sequence[str]
    _by_first: dict[str, list[tuple[tuple[str, ...], int]]] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        for index, title in enumerate(self.titles):
            words = tuple(word.text for word in _words(title))
            if words:
                self._by_first.setdefault(words[0], []).append((words, index))
        for entries in self._by_first.values():
            entries.sort(key=lambda entry: (-len(entry[0]), entry[1]))

    def find(self, text: str) -> list[Mention]:
        """All titles named in the text, in its order; of overlapping ones the longest that begins first."""
        words, found, place = _words(text), list[Mention](), 0
        while place < len(words):
            match = self._match(words, place)
            if match is None:
                place += 1
                continue
            index, length, end = match
            start = words[place].start
            found.append(Mention(index, start, end, self._certainty(text, index, start, end, length)))
            place += length
        return found

    def recommended(self, text: str) -> Mention | None:
        """The item that an answer ends on.

        After the last closing words the rest of the line must be one title, whole (certainty 1.0). Without closing words
        it is the last title surely named in the last sentence, with the certainty it has there.
        """
        for words in CLOSINGS.values():
            at = text.rfind(words)
            if at >= 0:
                return self._whole(text, at + len(words))
        ends = [m.end() for m in re.finditer(r"[.!?。]\s+|\n+", text.rstrip())]
        last = ends[-1] if ends else 0
        return next((m for m in reversed(self.find(text)) if m.end > last and m.certainty >= SURE), None)

    def _whole(self, text: str, begin: int) -> Mention | None:
        line = text[begin:].split("\n", 1)[0]
        words = _words(line)
        match = self._match(words, 0) if words else None
        if match is None or match[1] != len(words):
            return None
        return Mention(match[0], begin + words[0].start, begin + match[2], 1.0)

    def _match(self, words: list[_Word], place: int) -> tuple[int, int, int] | None:
        """The longest title that begins here: its index, its number of words, and where it ends in the text."""
        for first in _without_particle(words[place].text):
            for wanted, index in self._by_first.get(first, ()):
                span = words[place : place + len(wanted)]
                if self._same(span, wanted):
                    return index, len(wanted), min(span[-1].end, span[-1].start + len(wanted[-1]))
        return None

    @staticmethod
    def _same(words: list[_Word], wanted: tuple[str, ...]) -> bool:
        if len(words) != len(wanted) or any(
            w.text != t for w, t in zip(words[:-1], wanted[:-1], strict=True)
        ):
            return False
        return wanted[-1] in _without_particle(words[-1].text)

    def _certainty(self, text: str, index: int, start: int, end: int, length: int) -> float:
        if start and end < len(text) and text[start - 1] in _QUOTES and text[end] in _QUOTES:
            return 0.9
        title = self.titles[index].strip()
        told_apart = text[start:end] == title and not _opens_sentence(text, start)
        return 0.3 if length == 1 and len(title) <= 4 and not told_apart else 0.7


def _opens_sentence(text: str, start: int) -> bool:
    before = text[:start].rstrip(" \t(" + _QUOTES)
    return not before or before[-1] in ".!?…:;\n"


def _without_particle(word: str) -> list[str]:
    """The word itself, and, where it ends in Hangul, the word without a particle."""
    forms = [word]
    if word and "가" <= word[-1] <= "힣":
        forms += [word[: -len(p)] for p in _PARTICLES if word.endswith(p) and len(word) > len(p)]
    return forms
