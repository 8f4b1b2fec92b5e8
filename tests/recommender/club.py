"""A club of sixty people and forty works in four circles: whoever likes one of a circle likes the others."""

from __future__ import annotations

import numpy as np
import polars as pl

from rectune.core.settings import RetrievalConfig
from rectune.core.types import Item
from tests.retrieval import letters  # noqa: F401

CIRCLES, SIZE, PEOPLE, LIKED = 4, 10, 60, 8
SUBJECTS = ("space", "bread", "crime", "music")
RETRIEVAL = RetrievalConfig(embedder="letters", min_similarity=-1.0)


def works() -> list[Item]:
    """Ten works of each circle; titles and categories of one circle have nothing in common."""
    return [
        Item("movies", f"{circle}-{n}", f"{_name(n)} {_name(circle)}{n}", (SUBJECTS[n % 4],), "", None,
             (f"director: {_name(n + 3)}",))
        for circle in range(CIRCLES)
        for n in range(SIZE)
    ]  # fmt: skip


def likes(seed: int = 1) -> pl.DataFrame:
    """Eight likes of each person, one a day: person p likes works of the circle p modulo four."""
    rng = np.random.default_rng(seed)
    rows = [
        (f"p{person}", f"{person % CIRCLES}-{n}", 1_700_000_000 + 86_400 * day)
        for person in range(PEOPLE)
        for day, n in enumerate(rng.permutation(SIZE)[:LIKED])
    ]
    return pl.DataFrame(rows, ["user", "item_id", "timestamp"], orient="row")


def circle_of(item_id: str) -> str:
    """The number of the circle that a work is of."""
    return item_id.partition("-")[0]


def _name(number: int) -> str:
    """A name that shares no word with another one."""
    return ("Ada", "Bob", "Cyd", "Dov", "Eli", "Fay", "Gus", "Hal", "Ivy", "Jon", "Kim", "Lee", "Mia")[number]
