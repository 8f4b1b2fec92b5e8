"""Untrusted text as plain words: what tokenizers and tables take, and what a terminal may show."""

from __future__ import annotations

import re
import unicodedata

from rectune.core.text.translation import ENGLISH, Translation
from rectune.core.types import Locale

_SPACES = re.compile(r"\s+")
_UNSEEN = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]")

# Format characters that emoji and some scripts need and that move nothing on a terminal.
_HARMLESS = {"\u200b", "\u200c", "\u200d", "\u2060", "\ufeff", "\u00ad"}

# Hangul, kana, Chinese characters, Thai: words there carry particles or have no spaces between them.
_UNSPACED = re.compile("[\u1100-\u11ff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7a3\u0e00-\u0e7f]")
_LETTERS_READ = 2000  # characters that are looked at


def encodable(text: str) -> str:
    """The text without lone surrogates: broken input may hold them, tokenizers and tables refuse them."""
    return text.encode("utf-8", "replace").decode("utf-8")


def printable(text: str) -> str:
    """Untrusted text as a terminal may safely show it.

    Control characters become visible (escape is ␛), so no text can move the cursor, change colours or set the
    window's title; so do the marks that reverse the direction of writing. Line ends stay.
    """
    return "".join(map(_visible, text.replace("\r\n", "\n").replace("\t", "    ")))


def cut_line(text: str, longest: int) -> str:
    """Text on one line without control and format characters, at most `longest` characters."""
    return _SPACES.sub(" ", _UNSEEN.sub(" ", encodable(text))).strip()[:longest]


def shortened(text: str, longest: int) -> str:
    """Text on one line of at most `longest` characters; a longer one is cut at a word and ends with "…"."""
    line = " ".join(text.split())
    if len(line) <= longest:
        return line
    cut = line[: longest - 1]
    words = cut.rpartition(" ")[0]
    return f"{words if 2 * len(words) > longest else cut}…"  # some scripts have no spaces between words


def duration(seconds: float, tr: Translation = ENGLISH) -> str:
    """A time in words that a person reads at a glance: 3.2 s, 45 s, 1 min 15 s, 10 min, 2 h 2 min."""
    if round(seconds, 1) < 60:
        return tr("{n} s", n=f"{seconds:.1f}".removesuffix(".0"))
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    parts = ((hours, "{n} h"), (minutes, "{n} min"), (0 if hours else rest, "{n} s"))
    return " ".join(tr(sentence, n=count) for count, sentence in parts if count)


def locale_of(text: str) -> Locale:
    """Korean if most letters are Hangul, else English; a syllable of Hangul holds two letters or three and
    counts as two, so that "Netflix에서 볼 만한 영화" is Korean.
    """
    letters = [letter for letter in text if letter.isalpha()]
    syllables = sum("가" <= letter <= "힣" for letter in letters)
    return "ko" if 2 * syllables > len(letters) - syllables else "en"


def _visible(character: str) -> str:
    category = unicodedata.category(character)
    if character == "\n" or category not in ("Cc", "Cf", "Cs", "Zl", "Zp") or character in _HARMLESS:
        return character
    if category in ("Zl", "Zp"):
        return "\n"
    if ord(character) < 0x20:
        return chr(0x2400 + ord(character))  # the block of control pictures
    return "␡" if character == "\x7f" else f"<U+{ord(character):04X}>"


def is_unsegmented(text: str) -> bool:
    """Whether full-text search needs character n-grams: a fifth of the letters are of such scripts."""
    letters = [letter for letter in text[:_LETTERS_READ] if letter.isalpha()]
    return 5 * sum(bool(_UNSPACED.match(letter)) for letter in letters) >= max(1, len(letters))
