"""The section `data`: which datasets are read, and what cases are made of them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from rectune.core.package_data import SAMPLES
from rectune.core.settings.base import Fraction, PositiveInt, Section, Weight

_EMBEDDED = Path("embedded")

# The published mixture, in per cent.
MIXTURE_WEIGHTS = {
    "mind": 17.97,
    "amazon_music": 11.85,
    "yelp": 11.95,
    "anime": 9.93,
    "books": 5.78,
    "movielens": 4.64,
    "steam": 0.72,
    "amazon": 37.17,
}
# From which value on an interaction counts as liked; `rectune.datagen.datasets.published` says why.
POSITIVE_THRESHOLDS = {
    "mind": 1.0,
    "amazon_music": 4.0,
    "yelp": 4.0,
    "anime": 8.0,
    "books": 7.0,
    "movielens": 4.0,
    "steam": 2.0,
    "amazon": 4.0,
}


class CrossDomainConfig(Section):
    """Training cases with a history in one domain and a target in another, of users who are in both."""

    history: str
    """A dataset of the recipe, or one category of it, as `amazon/Electronics`, from which histories are
    taken."""
    target: str
    """Likewise, from which targets are taken. Both must share user ids: editions of different years do
    not."""
    weight: Weight
    """Weight in the mixture, beside those of `mixture_weights`."""


class CustomDatasetConfig(Section):
    """Your own dataset: which files it is, and which column is what."""

    domain: str
    """What its items are: one of the eight domains, or a name of your own, which is worded as `other`."""
    items: str
    """The file of the items (CSV, TSV, JSON lines or Parquet), below `root` or as an absolute path."""
    interactions: str = ""
    """The file of the interactions. Without one, items can be recommended but make no cases."""
    item_columns: dict[str, str] = Field(default={})
    """Column of each field of an item: item_id, title, categories, description, year. A field that is left
    out is guessed from common names; "" keeps it from being looked for."""
    interaction_columns: dict[str, str] = Field(default={})
    """Likewise for user_id, item_id, value, timestamp. Without a value each interaction counts 1; without a
    timestamp histories are in no order."""
    categories_separator: str = "|"
    """Separator of an item's categories within one cell."""
    kind: Literal["rating", "click", "purchase", "play", "review"] = "rating"
    """What an interaction is, for the wording of prompts."""
    positive_threshold: float = 1.0
    """Value from which on an interaction counts as liked."""
    licence: str = ""
    """Licence of the data, for the published cards."""
    redistributable: bool = False
    """Whether the licence allows publishing rows made of the data."""


class DataConfig(Section):
    """Which datasets become which cases."""

    root: Path = _EMBEDDED
    """The folder that holds one folder a dataset; `embedded` is the sample data that comes with rectune."""
    datasets: list[str] = Field(default=list(MIXTURE_WEIGHTS), min_length=1)
    """The datasets that are read: names that `rectune data list` shows, or keys of `custom`."""
    categories: dict[str, list[str]] = Field(default={})
    """Categories to read of a dataset that is split by category, as `{amazon: [Electronics]}`; of a dataset
    that is not named, all categories found."""
    mixture_weights: dict[str, Weight] = Field(default=MIXTURE_WEIGHTS)
    """Relative weights of the datasets in the training cases; 0 gives none. By default the published mixture,
    in per cent. Every dataset that is read needs one."""
    shortfall: Literal["accept", "spread"] = "accept"
    """What happens when a dataset has fewer cases than its weight asks for: `accept` fewer cases in total, or
    `spread` the missing ones over the others, which changes the mixture."""
    cross_domain: list[CrossDomainConfig] = Field(default=[])
    """Additional training cases across two domains, for a model that recommends from a history in another
    domain."""
    positive_threshold: dict[str, float] = Field(default=POSITIVE_THRESHOLDS)
    """The value (stars, points, hours played, clicks) from which on an interaction counts as liked, by
    dataset; a dataset that is not named has its own from `rectune data list`. Interactions without a value
    never count."""
    train: PositiveInt = 600_000
    """Training cases. Users of training, preference and test cases are disjoint."""
    preference: PositiveInt = 3000
    """Cases from which `candidates.prompts` are chosen; draw more than that, to balance domains and kinds."""
    test: PositiveInt = 2000
    """Test cases, equally many of each dataset. More give narrower intervals and take longer."""
    train_time_quantile: Fraction = 0.9
    """Share of all likes, the earliest, that training and preference cases use; test targets are later, where
    times are published. At 1 only users are split, and training may see likes later than those of the
    tests."""
    min_history: PositiveInt = 5
    """Minimum number of liked items before the target. A smaller minimum admits more users with less
    history."""
    max_history: PositiveInt = 20
    """Maximum number of liked items before the target, the latest ones. Longer histories make longer
    prompts."""
    num_candidates: Annotated[int, Field(ge=2)] = 20
    """Candidates of a case, the target included."""
    negatives: Literal["uniform", "popularity", "near"] = "uniform"
    """How the other candidates are drawn, from the target's category where it has one: uniformly, by
    `popularity`, or `near` the target by `embedder`, which is hardest."""
    embedder: str = "embedded"
    """Embedding model for `near`: `embedded` (MiniLM, English) or a sentence-transformers Hub id."""
    malformed: Fraction = 0.01
    """Maximum share of a file's lines that may be malformed before reading it is an error."""
    custom: dict[str, CustomDatasetConfig] = Field(default={})
    """Your own datasets, by the name that `datasets` then uses."""
    seed: int = 7
    """Seed of all draws of users, targets and candidates."""

    @property
    def folder(self) -> Path:
        """The folder that `root` stands for."""
        return SAMPLES if self.root == _EMBEDDED else self.root
