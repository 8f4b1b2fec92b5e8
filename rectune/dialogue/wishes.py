"""Wishes that no word of the catalogue names: the newest or the oldest first, or what is popular."""

from __future__ import annotations

import re
from typing import Literal

from rectune.core.types import Locale
from rectune.dialogue.chat_catalogue import ChatCatalogue

Order = Literal["", "new", "old", "popular"]
"""What items are ordered by; empty for how well they suit."""

_THINGS = r"films?|movies?|books?|games?|albums?|songs?|ones?|stuff|things?|releases?"
_ENGLISH: tuple[tuple[Order, re.Pattern[str]], ...] = (
    ("new", re.compile(rf"\b(?:newest|latest|most recent|what's new|(?:recent|newer|modern|new) (?:{_THINGS}))\b")),
    ("old", re.compile(rf"\b(?:oldest|(?:old|older|classic|vintage) (?:{_THINGS})|classics)\b")),
    ("popular", re.compile(r"\b(?:popular|most watched|most liked|everyone likes|best known)\b")),
)
_KOREAN: tuple[tuple[Order, re.Pattern[str]], ...] = (
    ("new", re.compile(r"최신|최근 (?:거|것|영화|책|게임|작품)|제일 최근|가장 최근|요즘 (?:나온|영화)|신작|새로 나온")),
    ("old", re.compile(r"오래된|옛날 ?(?:거|것|영화|책|게임|작품)|고전 ?(?:영화|소설|작품)?(?=[ .!?]|$)|제일 옛날")),
    ("popular", re.compile(r"인기 ?(?:있|많|작)|유명한|많이 (?:보|본|좋아)")),
)
_BEFORE_TERM = re.compile(r"\b(?P<old>old|older|classic|vintage)|(?P<new>new|newer|recent|modern)(?= )")


def order_of(low: str, locale: Locale, catalogue: ChatCatalogue) -> Order:
    """What a message wants items to be ordered by.

    Args:
        low: in lower case.
        locale: its language.
        catalogue: its terms: `old westerns` is such a wish, `an old man` is none.
    """
    for order, pattern in _KOREAN if locale == "ko" else _ENGLISH:
        if pattern.search(low):
            return order
    if locale == "en" and (found := _BEFORE_TERM.search(low)):
        terms = catalogue.terms.find(low[found.end() :])
        if terms and not low[found.end() : found.end() + terms[0].start].strip():
            return "old" if found["old"] else "new"
    return ""
