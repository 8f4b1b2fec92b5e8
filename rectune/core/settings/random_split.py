"""The section `random_split`: rankers under a random split of interactions, beside published figures."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from rectune.core.settings.base import Fraction, PositiveInt, Section
from rectune.core.settings.ranking import RankerName


class PublishedSplitFigures(Section):
    """Figures that others have published for the same data and protocol."""

    system: str
    """What was measured."""
    precision_at_10_train: Fraction
    """Its precision@10 in training, as published."""
    precision_at_10_test: Fraction
    """Its precision@10 in the test, as published."""
    auc_train: Fraction
    """Its AUC in training, as published."""
    auc_test: Fraction
    """Its AUC in the test, as published."""
    source: str
    """Where it was published."""


class RandomSplitConfig(Section):
    """A random split of the likes: the users of the test are in training too."""

    rankers: dict[RankerName, dict[str, Any]] = Field(
        default={name: {} for name in ("popularity", "item_knn", "ease", "als", "lightfm")}, min_length=1
    )
    """The rankers that are measured, each with the arguments of its constructor; without any, its defaults.
    Your own is named as `module:Class`."""
    test_share: Annotated[float, Field(gt=0.0, lt=1.0)] = 0.2
    """The share of the likes that are for testing; all others are for training."""
    published: list[PublishedSplitFigures] = Field(default=[])
    """Published figures, which the table shows beside what is measured."""
    bootstrap: PositiveInt = 10_000
    """Bootstrap resamples of users for confidence intervals. More make the bounds more stable."""
    seed: int = 7
    """Seed of the split, of rankers that draw, and of the resamples."""
