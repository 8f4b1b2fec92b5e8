"""Two hundred works in ten categories, in both languages, and the ids of some, to plant a taste with."""

from __future__ import annotations

import numpy as np

from rectune.core.types import Item, Locale

WORKS, KINDS = 200, 10
CATEGORIES: dict[Locale, tuple[str, ...]] = {
    "en": (
        "Horror",
        "Western",
        "Comedy",
        "Musical",
        "War",
        "Romance",
        "Crime",
        "Fantasy",
        "Sport",
        "History",
    ),
    "ko": ("공포", "서부극", "코미디", "뮤지컬", "전쟁", "로맨스", "범죄", "판타지", "스포츠", "역사"),
}
WORDS: dict[Locale, tuple[str, ...]] = {
    "en": (
        "haunted",
        "saddle",
        "clumsy",
        "melody",
        "trench",
        "wedding",
        "detective",
        "dragon",
        "stadium",
        "empire",
    ),
    "ko": ("유령", "말안장", "소동", "합창", "참호", "결혼식", "형사", "용", "경기장", "왕조"),
}
MAKERS = 20  # each of ten works, of all categories


def works(locale: Locale = "en") -> list[Item]:
    """Work n is of category n modulo ten, by maker n // 10; every second one of a category has its word."""
    return [
        Item(
            "movies",
            f"w{n}",
            f"Title {n}" if locale == "en" else f"제목 {n}",
            (CATEGORIES[locale][n % KINDS],),
            _described(n, locale),
            1950 + 10 * (n // 40),
            (f"director: Maker{n // KINDS}",),
        )
        for n in range(WORKS)
    ]


def of_kind(kind: int, count: int, start: int = 0) -> list[str]:
    """The ids of so many works of a category, each by another maker."""
    return [f"w{kind + KINDS * n}" for n in range(start, start + count)]


def anything(seed: int, count: int) -> list[str]:
    """The ids of so many works drawn at random."""
    return [f"w{n}" for n in np.random.default_rng(seed).permutation(WORKS)[:count]]


def _described(n: int, locale: Locale) -> str:
    word = WORDS[locale][n % KINDS]
    if (n // KINDS) % 2:
        return "It rains." if locale == "en" else "비가 온다."
    return f"A {word} comes." if locale == "en" else f"{word}의 밤."
