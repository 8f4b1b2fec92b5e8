"""The section `data`: which datasets are read, and what cases are made of them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from rectune.core.settings.base import Count, Fraction, Section, Share
from rectune.core.shipped import SAMPLES

_EMBEDDED = Path("embedded")


class Crossing(Section):
    """Training cases with a history in one domain and a target in another, of users whom both know.

    `history` and `target` are datasets of the recipe that share user ids, or one category of such a dataset, as
    `amazon/Electronics`. `share` is a weight beside those of `shares`.
    """

    history: str
    target: str
    share: Share


class Custom(Section):
    """A dataset of one's own: files below `root` (or absolute paths), and which column is what.

    The maps go from field to column; what they leave out is guessed from common names, "" means do not look. Fields of
    items: item_id, title, categories, description, year; of interactions: user_id, item_id, value, timestamp.
    Without `interactions` there are items only; without a value each interaction counts 1; without times histories
    are in no order. `kind` says what an interaction is; `domain` may be one of the eight or a name of one's own.
    """

    domain: str
    items: str
    interactions: str = ""
    item_columns: dict[str, str] = Field(default={})
    interaction_columns: dict[str, str] = Field(default={})
    categories_separator: str = "|"
    kind: Literal["rating", "click", "purchase", "play", "review"] = "rating"
    liked: float = 1.0
    licence: str = ""
    redistributable: bool = False


class Data(Section):
    """Which datasets become which cases.

    `root` holds one folder a dataset; `embedded` is the sample data that comes with rectune. `categories` names those
    that are read of a dataset that has categories, by dataset; all that are there where it says nothing. `shares` are
    relative weights of the mixture, by dataset; `shortfall` says what happens when one runs out: `accept` fewer cases,
    or `spread` them over the others. `liked` is the value (stars, points, hours played, clicks) from which an
    interaction counts as liked; interactions without a value (watched but not rated) never do.

    `train`, `preference` and `test` count cases; their users are disjoint. Where times are published, the earliest
    `train_until` of all likes are for training and preferences, and tests ask for later ones; 1 parts users alone.
    `candidates` counts the target too; the others are drawn `uniform`, by `popularity`, or `near` the target in the
    space of `embedder`, from the target's category where it has one. `malformed` is the share of a file's lines
    that may be unreadable before reading it is an error. `custom` describes datasets of one's own by name.
    """

    root: Path = _EMBEDDED
    datasets: list[str] = Field(min_length=1)
    categories: dict[str, list[str]] = Field(default={})
    shares: dict[str, Share]
    shortfall: Literal["accept", "spread"] = "accept"
    crossings: list[Crossing] = Field(default=[])
    liked: dict[str, float]
    train: Count = 600_000
    preference: Count = 1000
    test: Count = 2000
    train_until: Fraction = 0.9
    min_history: Count = 5
    max_history: Count = 20
    candidates: Annotated[int, Field(ge=2)] = 20
    negatives: Literal["uniform", "popularity", "near"] = "uniform"
    embedder: str = "embedded"
    malformed: Fraction = 0.01
    custom: dict[str, Custom] = Field(default={})
    seed: int = 0

    @property
    def folder(self) -> Path:
        """The folder that `root` means."""
        return SAMPLES if self.root == _EMBEDDED else self.root
