"""What is asked of an item, and whether the catalogue says it."""

from __future__ import annotations

import re
from typing import Literal

from rectune.core.item_values import categories_of, facts_by_value, makers_of
from rectune.core.types import Item
from rectune.dialogue.chat_search import minutes_taken
from rectune.dialogue.item_years import year_of
from rectune.dialogue.narrowing import FOR_YOUNG

Aspect = Literal["maker", "cast", "year", "length", "story", "young"]

_CAST = ("cast", "actor", "actress", "starring", "star", "출연", "배우", "주연")
_ASKED: tuple[tuple[Aspect, re.Pattern[str]], ...] = (
    ("young", re.compile(r"\bfor (?:my |the |small |young |little )*(?:kids|children|child|family"
        r"|toddlers?)\b|봐도 ?(?:돼|되|될|괜찮)")),
    ("length", re.compile(r"\bhow long\b|몇 (?:분|시간)|상영 ?시간|러닝 ?타임")),
    ("year", re.compile(r"\bwhen was\b|\bwhat year\b|\bhow old is\b|언제 (?:나왔|나온|만들|개봉)|몇 년")),
    ("cast", re.compile(r"\bwho (?:plays|is in|acted|acts|stars)\b|누가 나(?:오|와)|배우(?:가|는)|출연")),
    ("maker", re.compile(
        r"\bwho (?:made|directed|wrote|composed|sings|published)\b|(?:감독|작가|가수)(?:이|가|은"
        r"|는)? ?(?:뭐|뭔|누구)|누가 (?:만들|감독|썼|불렀)"
    )),
    ("story", re.compile(r"\babout\s*\?|줄거리|무슨 (?:내용|이야기)|어떤 (?:내용|이야기)|내용(?:이|은)")),
)  # fmt: skip


def aspect_asked(low: str) -> Aspect | None:
    """What a message in lower case asks of an item; None where it asks for all."""
    return next((aspect for aspect, pattern in _ASKED if pattern.search(low)), None)


def says(item: Item, aspect: Aspect) -> bool:
    """Whether the catalogue says this of an item."""
    if aspect == "maker":
        return bool(makers_of(item))
    if aspect == "cast":
        return any(name.casefold().removesuffix("s") in _CAST for name, _ in facts_by_value(item).values())
    if aspect == "year":
        return year_of(item) is not None
    if aspect == "length":
        return minutes_taken(item) is not None
    if aspect == "story":
        return bool(item.description)
    return any(name.casefold() in categories_of(item) for name in FOR_YOUNG)
