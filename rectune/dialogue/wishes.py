"""Wishes that no word of the catalogue names: the newest or the oldest first, or what is popular."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from rectune.core.types import Locale
from rectune.dialogue.chat_catalogue import ChatCatalogue

Order = Literal["", "new", "old", "popular"]
"""What items are ordered by; empty for how well they suit."""

_THINGS = r"films?|movies?|books?|games?|albums?|songs?|ones?|stuff|things?|releases?"
_ENGLISH: tuple[tuple[Order, re.Pattern[str]], ...] = (
    (
        "new",
        re.compile(
            rf"\b(?:newest|latest|most recent|what's new|(?:recent|newer|modern|new) (?:{_THINGS}))\b"
        ),
    ),
    ("old", re.compile(rf"\b(?:oldest|(?:old|older|classic|vintage) (?:{_THINGS})|classics)\b")),
    ("popular", re.compile(r"\b(?:popular|most watched|most liked|everyone likes|best known)\b")),
)
_KOREAN: tuple[tuple[Order, re.Pattern[str]], ...] = (
    (
        "new",
        re.compile(
            r"(?:제일 |가장 )?(?:최신|최근)(?: (?:거|것|영화|책|게임|작품))(?:은|는)?|최신|제일 최근"
            r"|가장 최근|요즘 나온|신작|새로 나온"
        ),
    ),
    (
        "old",
        re.compile(
            r"(?:제일 |가장 )?오래된|옛날 ?(?:거|것|영화|책|게임|작품)|고전 ?(?:영화|소설|작품)?(?=[ .!?]"
            r"|$)|제일 옛날"
        ),
    ),
    ("popular", re.compile(r"인기 ?(?:있는|많은|작|있어)(?: (?:거|것|영화|책|게임|작품))?|유명한")),
)
_BEFORE_TERM = re.compile(r"\b(?P<old>old|older|classic|vintage)|(?P<new>new|newer|recent|modern)(?= )")


@dataclass(frozen=True, slots=True)
class OrderWish:
    """What items should be ordered by, and the characters that say so."""

    order: Order
    start: int
    end: int


def order_of(low: str, locale: Locale, catalogue: ChatCatalogue) -> list[OrderWish]:
    """What a message wants items to be ordered by; at most one wish.

    Args:
        low: in lower case.
        locale: its language.
        catalogue: its terms: `old westerns` is such a wish, `an old man` is none.
    """
    for order, pattern in _KOREAN if locale == "ko" else _ENGLISH:
        if found := pattern.search(low):
            return [OrderWish(order, *found.span())]
    if locale == "en" and (found := _BEFORE_TERM.search(low)):
        terms = catalogue.terms.find(low[found.end() :])
        if terms and not low[found.end() : found.end() + terms[0].start].strip():
            return [OrderWish("old" if found["old"] else "new", *found.span())]
    return []
