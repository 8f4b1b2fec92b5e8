"""Figures of a text counted in words, for comparing models with different tokenizers."""

from __future__ import annotations

import re

from rectune.filters.score import response_score
from rectune.filters.title_masking import runs

_WORD = re.compile(r"\w+")
_RUN = 3  # words; as long as in the filter's rule `ngram_repetition`


def words_of(text: str) -> list[str]:
    """Runs of letters, digits and underscores, lower-cased."""
    return [word.lower() for word in _WORD.findall(text)]


def word_score(text: str) -> float:
    """The response score ln(L) * L / C with L and C counted in words; 0 for a text without any."""
    words = words_of(text)
    return response_score(words) if words else 0.0


def repetition(text: str) -> float:
    """The share of a text's word 3-grams that came before in it; 0 if it has none."""
    found = runs([words_of(text)], _RUN)
    return 1.0 - len(set(found)) / len(found) if found else 0.0
