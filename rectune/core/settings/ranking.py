"""Rankers: the sections `fit`, `rerank` (the language model beside them), and two published protocols."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field

from rectune.core.settings.base import Fraction, NonNegativeInt, PositiveInt, Section
from rectune.core.settings.generation import EngineConfig

# The rankers that are networks, in torch.
NETWORKS = ("sasrec", "sasrec_text", "bert4rec", "gru4rec", "nextitnet", "ncf", "morec", "allmrec_items")

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
    "hybrid_knn",
    "svd",
    "ease",
    "als",
    "lightfm",
    "lightfm_attributes",
    *NETWORKS,
)

# Those of them that are fitted and compared only where a recipe names them.
BY_NAME_ONLY = ("hybrid_knn", "lightfm", "lightfm_attributes", *NETWORKS)


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
        default=[name for name in RANKER_NAMES if name not in ("random", "embedding_mean", *BY_NAME_ONLY)],
        min_length=1,
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


class PublishedSystem(Section):
    """A figure that others have published for the same data and protocol."""

    system: str
    """What was measured."""
    hit_at_10: Fraction
    """Its HR@10, as published."""
    ndcg_at_10: Fraction
    """Its NDCG@10, as published."""
    source: str
    """Where it was published."""


class LeaveLastOutConfig(Section):
    """The protocol leave-last-out of the literature: each user's last like is ranked among all items."""

    rankers: dict[RankerName, dict[str, Any]] = Field(
        default={name: {} for name in ("popularity", "item_knn", "ease", "als")}, min_length=1
    )
    """The rankers that are measured, each with the arguments of its constructor; without any they are chosen
    from its `grid` by NDCG@10 of the users' second last likes. Your own is named as `module:Class`."""
    published: list[PublishedSystem] = Field(default=[])
    """Published figures, which the table shows beside what is measured."""
    published_data: dict[Literal["users", "items", "interactions"], PositiveInt] = Field(default={})
    """The size of the data that those were measured on: the table says where the data at hand differ."""
    bootstrap: PositiveInt = 10_000
    """Bootstrap resamples of users for confidence intervals. More make the bounds more stable."""
    seed: int = 7
    """Seed of rankers that draw, and of the resamples."""


class HeldOutRatingsConfig(Section):
    """The protocol of held-out ratings: lists of known users, judged by ratings held out at random."""

    rankers: dict[RankerName, dict[str, Any]] = Field(
        default={name: {} for name in ("popularity", "embedding_best", "item_knn", "hybrid_knn", "ease")},
        min_length=1,
    )
    """The rankers that are measured, each with the arguments of its constructor; without any its defaults.
    Your own is named as `module:Class`."""
    held_out_fraction: Annotated[float, Field(gt=0, lt=1)] = 0.1
    """Share of all ratings that is held out."""
    list_lengths: list[PositiveInt] = Field(default=[3, 10, 20], min_length=1)
    """How many first items of a list are judged; each is a row of the table."""
    users: PositiveInt = 2_000
    """Maximum number of users per domain who are judged. More narrow the intervals and take longer."""
    bootstrap: PositiveInt = 10_000
    """Bootstrap resamples of users for confidence intervals. More make the bounds more stable."""
    seed: int = 7
    """Seed of the split, of the choice of users, and of the resamples."""
