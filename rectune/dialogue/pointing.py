"""Which of the items shown a message points at: by its place, by a pronoun, or as the first of all."""

from __future__ import annotations

import re

# Korean pronouns for what was spoken of.
PRONOUN_KO = (
    r"(?:그거|그것|이거|이것|저거|그 ?(?:영화|책|게임|작품|노래|앨범|애니)|이 ?(?:영화"
    r"|책|게임|작품|노래|앨범|애니))"
)

_PLACES = {
    "first": 1, "1st": 1, "1": 1, "첫": 1, "second": 2, "2nd": 2, "2": 2, "두": 2,
    "third": 3, "3rd": 3, "3": 3, "세": 3, "fourth": 4, "4th": 4, "4": 4, "네": 4,
    "fifth": 5, "5th": 5, "5": 5, "다섯": 5, "last": -1, "마지막": -1,
}  # fmt: skip
_ORDINAL = re.compile(
    r"\b(?:the )?(?P<en>first|second|third|fourth|fifth|last|1st|2nd|3rd|4th|5th)"
    r"(?: (?:one|film|movie|book|game|album|song|item|place|article))?(?=\s*$|[,.!?~]| "
        r"(?:about|is|was|please|again|and|but|because|sounds?|looks?|seems?|or|then|first|you))"
    r"|(?:\bnumber |\bno\. ?|#)(?P<number>[1-5])\b"
    r"|(?P<ko>첫|두|세|네|다섯) ?(?:번)?째|(?<!\d)(?P<ban>[1-5]) ?번(?:째)?(?![가-힣]*방)"
        r"|(?P<last>마지막)(?= ?(?:거|것|영화|책|게임|작품|노래|앨범|애니|꺼))"
)  # fmt: skip
_POINTS = re.compile(
    r"\b(?:that|this|it|them|those|these)(?: one| ones)?\b|" + PRONOUN_KO + r"|그건|이건|그런 ?거|이런 ?거"
)
_FIRST = re.compile(
    r"\bfirst (?:one|thing|film|movie|book|game|album)? ?(?:that )?you (?:suggested|recommended|showed"
    r"|said|gave)"
    r"|처음에? ?(?:추천|보여|말)\S* ?(?:준|한)? ?(?:거|것|영화|책|게임)"
)


def places_of(text: str) -> list[int]:
    """Which items shown are meant by their places, from 1, in the order of the text; -1 for the last."""
    return [_PLACES[next(name for name in found.groups() if name)] for found in _ORDINAL.finditer(text)]


def recalls_first(text: str) -> bool:
    """Whether somebody asks for what was recommended first of all."""
    return _FIRST.search(text) is not None


def points_alone(text: str) -> bool:
    """Whether a text is nothing but the place of an item: `number 2`, `2번이요`."""
    left = _ORDINAL.sub("", text)
    return left != text and not re.sub(r"\b(?:the|please|one)\b|이요|요|거|것|[\s.,!~?]", "", left)


def ordinal_spans(text: str) -> list[tuple[int, int]]:
    """Where a text names items by their place."""
    return [found.span() for found in _ORDINAL.finditer(text)]


def points_back(text: str) -> bool:
    """Whether a text speaks of what was spoken of before: `that one`, `그거`."""
    return _POINTS.search(text) is not None
