"""The rule against word salad: text without grammar that may pass all other rules.

Sentences on any subject have function words or endings: articles, pronouns and prepositions in English,
particles and verb endings in Korean. Text without them is a list, or was sampled at a high temperature.
"""

from __future__ import annotations

import re

from rectune.core.text.common_words import FUNCTION_WORDS
from rectune.core.types import Locale
from rectune.filters.rules.base import LocaleShareRule

_FEWEST = 8  # number of words below which the share is unreliable
_WORDS = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)?")
# The last syllable, or two, of a word with a particle, of a verb, or of what modifies a noun.
_KOREAN = re.compile(
    r"[가-힣](?:은|는|이|가|을|를|의|에|도|로|와|과|만|나|며|고|서|면|지|게|니|라|해|한|할|된|될|인|일|던|든|들|적|다|요|죠|네|까|려|듯|록|및|"
    r"에서|에게|으로|처럼|보다|부터|까지|마다|조차|습니다|합니다|입니다|세요|어요|아요|하는|하고|하여|위해|대한|같은|있는|없는|좋은)$"
)


class StopWords(LocaleShareRule):
    """The share of function words outside titles; in Korean, of words with a particle or verb ending.

    None for fewer than eight words.
    """

    name, reason, counts = "stop_words", "word salad", "share of function words"

    def share(self, masked: str, locale: Locale) -> float:
        words = _WORDS.findall(masked)
        if len(words) < _FEWEST:
            return float("nan")
        if locale == "ko":
            return sum(bool(_KOREAN.search(word)) for word in words) / len(words)
        return sum(word.lower().replace("’", "'") in FUNCTION_WORDS for word in words) / len(words)
