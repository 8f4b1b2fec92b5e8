"""A made-up world in which nothing but what users state says who likes what."""

from __future__ import annotations

import numpy as np
import polars as pl

from rectune.core.types import Item

START = 1_700_000_000  # seconds since 1970
SHARED = "shared"  # everybody likes it first
OF_WOMEN, OF_MEN = ([f"{kind}{n}" for n in range(10)] for kind in ("w", "m"))
ITEMS = [Item("films", name, f"Film {name}", ("Drama",)) for name in (SHARED, *OF_WOMEN, *OF_MEN)]


def interactions() -> pl.DataFrame:
    """The likes of 80 users: the shared film, then about four of the ten of their sex."""
    rng = np.random.default_rng(3)
    rows = [(f"u{n}", SHARED, START) for n in range(80)]
    for n in range(80):
        own = rng.permutation(OF_WOMEN if n % 2 else OF_MEN)[: 3 + n % 3]
        rows += [(f"u{n}", str(item), START + 1 + at) for at, item in enumerate(own)]
    return pl.DataFrame(rows, schema=["user_id", "item_id", "timestamp"], orient="row")


def users() -> pl.DataFrame:
    """What they state; whose age, as in a table with gaps, is a float; the last of them liked nothing."""
    return pl.DataFrame(
        {
            "user_id": [*(f"u{n}" for n in range(80)), "nobody"],
            "gender": [*("female" if n % 2 else "male" for n in range(80)), "male"],
            "age": [*(20.0 + n % 20 for n in range(78)), None, None, 30.0],
        }
    )
