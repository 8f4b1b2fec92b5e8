"""Untrusted text as plain words: what tokenizers and tables take, and what a terminal may show."""

from __future__ import annotations

import re

from rectune.core.types import Locale

_SPACES = re.compile(r"\s+")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]")


def encodable(text: str) -> str:
    """The text without lone surrogates: broken input may hold them, tokenizers and tables refuse them."""
    return text.encode("utf-8", "replace").decode("utf-8")


def printable(text: str) -> str:
    """Without control characters, which a catalogue or a model may hold and a terminal would obey."""
    return _CONTROL.sub(" ", encodable(text)).strip()


def cut_line(text: str, longest: int) -> str:
    """Text on one line without control characters, at most `longest` characters."""
    return _SPACES.sub(" ", printable(text)).strip()[:longest]


def duration(seconds: float) -> str:
    """A time in words that a person reads at a glance: 3.2 s, 45 s, 1 min 15 s, 10 min, 2 h 2 min."""
    if round(seconds, 1) < 60:
        return f"{seconds:.1f}".removesuffix(".0") + " s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    parts = ((hours, "h"), (minutes, "min"), (0 if hours else rest, "s"))
    return " ".join(f"{count} {unit}" for count, unit in parts if count)


def locale_of(text: str) -> Locale:
    """Korean if most letters are Hangul: who types it reads it."""
    letters = [letter for letter in text if letter.isalpha()]
    return "ko" if 2 * sum("가" <= letter <= "힣" for letter in letters) > len(letters) else "en"
