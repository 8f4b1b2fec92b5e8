"""The structure of an answer without its titles: labels ("My ranking:"), lines of lists, rows of numbers.

Answers are untrusted: every pattern here takes time linear in the text, bounded per position.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Kind = Literal["closing", "ranking"]

# Before a number: markup, a word for "place", an opening bracket.
_LEAD = r"[\s>|#*_~]*(?:(?:no|rank|place)\.?\s?)?[#(\[（【]?"
# Behind it: a sign that ends it, an ordinal ending, the rest of a keycap, or a dash with spaces.
_TAIL = (
    r"(?:[.)\]）】:：、．|]+(?!\d)|\s?(?:st|nd|rd|th|위|순위|번째|번|등)\b[.):：,]?"
    r"|[\ufe0f\u20e3]+|\s\||\s[-–—](?=\s))"
)
_NUMBERED = re.compile(rf"{_LEAD}(\d{{1,4}}){_TAIL}[*_]*\s*", re.IGNORECASE)
_CIRCLED = re.compile(r"[\s>|#*_~]*([①-⑳])\s*")
_BULLET = re.compile(r"[\s>]*[-*•·‣▪◦–—+]\s+")
_COLON = re.compile("[:：]")
_BEFORE_LABEL = "\n:：.!?。"
_LONGEST_LABEL = 60  # characters
_RANKING = re.compile(r"\brank(?:ing|ings|ed|s)?\b|순위|랭킹", re.IGNORECASE)
_CLOSING = re.compile(
    r"\brecommend\w*|\bsuggest\w*|\b(?:choice|pick|answer)s?\b|(?<![비\w])추천|선택|정답|권(?:하|합|해)|(?:^|\s)답변?$",
    re.IGNORECASE,
)
_NEGATED = re.compile(r"\bnot\b|n['’]t\b|\bavoid\b|비추천|않|제외", re.IGNORECASE)
_LABELS = 20  # of an answer's labels the last ones are looked at
_NUMBERS = re.compile(r"[\d\s>,;|()\[\]=→≻.#번*_-]+")
_ONE_NUMBER = re.compile(
    r"\W*(?:(?:candidate|item|option|number|no|후보)\b\W{0,3})?(\d{1,4})\s?번?\W*", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class AnswerLabel:
    """Words that announce a choice, up to and including the colon; `ours` if they are of our own format."""

    kind: Kind
    start: int
    end: int
    ours: bool


@dataclass(frozen=True, slots=True)
class ListLine:
    """A line of a text, with the number or bullet of a list entry.

    `number` is that of a numbered entry, `bullet` marks one without number; `begin` is where the entry itself
    begins, `indent` the white space before the line.
    """

    start: int
    end: int
    begin: int
    indent: int
    number: int | None = None
    bullet: bool = False

    @property
    def listed(self) -> bool:
        """Whether the line is an entry of a list."""
        return self.bullet or self.number is not None


def lines_of(text: str, begin: int = 0) -> list[ListLine]:
    """The lines of a text from a place on that are not blank."""
    found, start = list[ListLine](), begin
    for piece in text[begin:].split("\n"):
        if piece.strip():
            found.append(_line(piece, start))
        start += len(piece) + 1
    return found


def _line(piece: str, start: int) -> ListLine:
    indent = len(piece) - len(piece.lstrip())
    end = start + len(piece.rstrip())
    for pattern in (_NUMBERED, _CIRCLED):
        match = pattern.match(piece)
        if match:
            digits = match[1]
            number = int(digits) if digits.isdecimal() else ord(digits) - ord("①") + 1
            return ListLine(start, end, min(start + match.end(), end), indent, number)
    match = _BULLET.match(piece)
    if match:
        return ListLine(start, end, min(start + match.end(), end), indent, bullet=True)
    return ListLine(start, end, start + indent, indent)


def labels_of(text: str, ours: re.Pattern[str], kinds: dict[str, Kind]) -> list[AnswerLabel]:
    """The labels of an answer in their order, the last ones of many.

    Args:
        text: an answer.
        ours: finds the labels of our own format; its first group holds the words.
        kinds: what those words, case folded, announce.
    """
    found = {
        m.end(): AnswerLabel(kinds[m[1].casefold()], m.start(), m.end(), True) for m in ours.finditer(text)
    }
    for colon in _COLON.finditer(text):
        words = text[max(0, colon.start() - _LONGEST_LABEL) : colon.start()]
        words = words[max(map(words.rfind, _BEFORE_LABEL)) + 1 :]
        kind = _kind(words)
        if kind and colon.end() not in found:
            found[colon.end()] = AnswerLabel(kind, colon.start() - len(words), colon.end(), False)
    return [found[end] for end in sorted(found)][-_LABELS:]


def _kind(words: str) -> Kind | None:
    words = words.strip(" \t*_#")
    if _NEGATED.search(words):
        return None
    if _RANKING.search(words):
        return "ranking"
    return "closing" if _CLOSING.search(words) else None


def advice_in(text: str) -> int | None:
    """The position of a sentence's first recommending word; None if it has none, or advises against."""
    found = None if _NEGATED.search(text) else _CLOSING.search(text)
    return found.start() if found else None


def numbers_in(text: str, most: int) -> list[int]:
    """The numbers of a row that holds nothing else ("3 > 1 > 2"), each 1 to `most`; none if it holds more."""
    if not _NUMBERS.fullmatch(text):
        return []
    digits = re.findall(r"\d+", text)
    numbers = [int(run) for run in digits if len(run) <= 4]
    within = len(numbers) == len(digits) and all(1 <= number <= most for number in numbers)
    return numbers if within else []


def number_in(text: str, most: int) -> int | None:
    """The single number in the place of a title ("[3]", "candidate 3", "3번"), 1 to `most`."""
    match = _ONE_NUMBER.fullmatch(text)
    return int(match[1]) if match and 1 <= int(match[1]) <= most else None


def runs_of(lines: Sequence[ListLine], text: str) -> list[list[ListLine]]:
    """The lists of a text: entries of one kind, without indented ones within them.

    A numbered list ends where a number is repeated (unless all entries have the same number), a bullet list
    at a line that ends with a colon.
    """
    runs, numbers, announced = list[list[ListLine]](), set[int | None](), False
    for line in lines:
        if not line.listed:
            announced |= text[line.end - 1] in ":："
            continue
        last = runs[-1][-1] if runs else None
        if last and _continues(line, last, announced, numbers):
            runs[-1].append(line)
        elif last and line.bullet and line.indent > runs[-1][0].indent:
            continue
        else:
            runs.append([line])
            numbers.clear()
        numbers.add(line.number)
        announced = False
    return runs


def _continues(line: ListLine, last: ListLine, announced: bool, numbers: set[int | None]) -> bool:
    if line.bullet or last.bullet:
        return line.bullet and last.bullet and line.indent == last.indent and not announced
    return line.number == last.number or line.number not in numbers
