"""Rankers that are fitted and chosen, and the language model beside them: the sections `fit` and `rerank`."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from typing import Annotated

from pydantic import AfterValidator, Field

from rectune.core.settings.base import NonNegativeInt, PositiveInt, Section
from rectune.core.settings.generation import EngineConfig

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
    "sasrec",
    "sasrec_text",
    "bert4rec",
    "allmrec_items",
)

# Those of them that are fitted only where a recipe names them.
_BY_NAME_ONLY = ("random", "embedding_mean", "sasrec", "sasrec_text", "bert4rec", "allmrec_items")


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


class RerankConfig(EngineConfig):
    """How much the aligned model counts beside the ranker that was chosen."""

    cases: NonNegativeInt = 200
    """Validation users per domain, whom the model was not aligned on; 0 measures nothing, and the model then
    only words the reasons."""
    candidates: PositiveInt = 20
    """How many of the ranker's first items the model re-orders."""
    drafts: bool = True
    """Whether searching for what the model writes (HyDE) is measured too, which takes longest."""
    seed: int = 7
    """Seed of the choice of users."""


class FitConfig(Section):
    """Which rankers are fitted on a domain's items and likes, and how what ranks is chosen among them."""

    rankers: list[RankerName] = Field(
        default=[name for name in RANKER_NAMES if name not in _BY_NAME_ONLY], min_length=1
    )
    """The rankers that are fitted, tuned, and fused where that helps; see docs/recommenders.md. Your own is
    named as `module:Class`."""
    users: NonNegativeInt = 500
    """Train users per domain whose last like is held out, to tune and choose on; 0 chooses nothing. More make
    the choice surer and take longer."""
    seed: int = 7
    """Seed of the choice of these users, and of rankers that draw."""
    warm_start: bool = False
    """Whether a ranker that takes minutes to train starts, on all likes, from what an earlier run trained
    with the same parameters, if that saw nobody who is not trained on now. Faster where interactions were
    added; what ranks then depends on what was fitted before, and `choice.json` says so."""
