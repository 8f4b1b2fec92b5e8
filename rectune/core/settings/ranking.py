"""Rankers that are fitted and chosen: the section `fit`."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from typing import Annotated

from pydantic import AfterValidator, Field

from rectune.core.settings.base import NonNegativeInt, Section

# The rankers in `rectune.rankers.base` that recipes may name, the simplest first.
RANKER_NAMES = (
    "random",
    "popularity",
    "recent_popularity",
    "bm25",
    "embedding_mean",
    "embedding_best",
    "hybrid",
    "item_knn",
    "svd",
    "ease",
    "als",
)


def known_name(known: Sequence[str], kind: str) -> AfterValidator:
    """A check that a name is one of these, or `module:Class`; `kind` is what it names."""

    def check(name: str) -> str:
        if name in known or ":" in name:
            return name
        near = difflib.get_close_matches(name, known, n=1)
        hint = f"did you mean {near[0]}? " if near else ""
        raise ValueError(f"unknown {kind}, {hint}there are {', '.join(known)}, or module:Class of your own")

    return AfterValidator(check)


RankerName = Annotated[str, known_name(RANKER_NAMES, "ranker")]


class FitConfig(Section):
    """Which rankers are fitted on a domain's items and likes, and how what ranks is chosen among them."""

    rankers: list[RankerName] = Field(
        default=[name for name in RANKER_NAMES if name not in ("random", "embedding_mean")], min_length=1
    )
    """The rankers that are fitted, tuned, and fused where that helps; see docs/recommenders.md. Your own is
    named as `module:Class`."""
    users: NonNegativeInt = 500
    """Train users per domain whose last like is held out, to tune and choose on; 0 chooses nothing. More make
    the choice surer and take longer."""
    seed: int = 7
    """Seed of the choice of these users, and of rankers that draw."""
