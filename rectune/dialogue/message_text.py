"""A message as the rules read it: on one line, its sentences, and the parts that were read already."""

from __future__ import annotations

import re
from dataclasses import dataclass

from rectune.core.text.plain import cut_line, locale_of
from rectune.core.types import Locale

LONGEST = 1000  # characters of a message that are read
_SENTENCE = re.compile(r"[^.!?。！？…;\n~]+[.!?。！？…;\n~]*|[.!?。！？…;\n~]+")
_RUN = re.compile("([가-힣]{30})(?=[가-힣])")
_LETTER = re.compile(r"[^\W\d_]")
_HANGUL = re.compile("[가-힣]")
_REST_OF_WORD = re.compile("[가-힣]*")
_CONJUNCTION = re.compile(r"^(?:and|but)\s+", re.IGNORECASE)
_FUNCTION = re.compile(
    r"\b(?:i|you|me|my|the|a|an|is|are|do|what|why|not|like|something|please|want|with)\b", re.IGNORECASE
)
# Signs that mean the same to the rules and are one character each, so that places stay.
_SIGNS = str.maketrans({"’": "'", "‘": "'", "`": "'", "“": '"', "”": '"'})


@dataclass(frozen=True, slots=True)
class SentenceSpan:
    """A sentence of a message, by its characters; whether it is a question."""

    start: int
    end: int
    asks: bool


def plain_message(text: str) -> str:
    """A message on one line, without control characters, at most `LONGEST` characters of it.

    Longer runs of Hangul than people write get spaces: splitting one of 1,000 syllables into morphemes would
    take a minute.
    """
    line = cut_line(text.replace("\n", ". ") if _LETTER.search(text) else text, LONGEST)
    return _RUN.sub(r"\1 ", line)


def lowered(text: str) -> str:
    """The text for the rules: lower case, one kind of quotation mark; places stay."""
    lower = "".join(char.lower() if len(char.lower()) == 1 else char for char in text)
    return lower.translate(_SIGNS)


def sentences_of(text: str) -> list[SentenceSpan]:
    """The sentences of a text, in order; a point inside a number or an abbreviation parts it, which costs
    nothing but a rule that does not match.
    """
    return [
        SentenceSpan(found.start(), found.end(), "?" in found.group() or "？" in found.group())
        for found in _SENTENCE.finditer(text)
    ]


def language_of(text: str, before: Locale) -> Locale:
    """The language of a message; one without words of any language, as a bare title, is in the one before."""
    if _HANGUL.search(text):
        return locale_of(text)
    return before if not _FUNCTION.search(text) else "en"


def quoted_words(text: str, start: int, end: int, locale: Locale) -> str:
    """The words of a message from one character to another, without a conjunction before them; of Korean ones
    the last to its end.
    """
    if locale == "ko":
        end = _REST_OF_WORD.match(text, end).end()  # type: ignore[union-attr]
    return _CONJUNCTION.sub("", text[start:end].strip())


def blanked(text: str, spans: list[tuple[int, int]]) -> str:
    """The text with spaces in place of some spans; places stay."""
    for start, end in spans:
        text = text[:start] + " " * (end - start) + text[end:]
    return text
