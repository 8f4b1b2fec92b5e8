"""The section `data`: which datasets are read, and what cases are made of them."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from rectune.core.package_data import SAMPLES
from rectune.core.settings.base import Fraction, NonNegativeInt, PositiveInt, Section, Weight

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


def moment(written: str, end: bool = False) -> int:
    """A day or a time, as ISO 8601 in UTC, in milliseconds since 1970.

    Args:
        end: of a day the end, which is the beginning of the next.

    Raises:
        ValueError: it is none.
    """
    try:
        time = datetime.datetime.fromisoformat(written)
    except ValueError:
        raise ValueError("not a day or a time like 2015-01-31 or 2015-01-31T12:00") from None
    if time.tzinfo is None:
        time = time.replace(tzinfo=datetime.UTC)
    if end and len(written) <= len("2015-01-31"):
        time += datetime.timedelta(days=1)
    return round(time.timestamp() * 1000)


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


class Join(Section):
    """A further table that says more of the items of a dataset of one's own, any number of rows an item."""

    file: str
    """The file, below `root` or as an absolute path; written as the other files are."""
    on: str
    """Its column of item ids."""
    add: str
    """Its column that is added. Several categories of an item are all taken, texts are joined, of titles and
    years the first counts."""
    field: Literal["", "title", "categories", "description", "year", "fact"] = ""
    """What the column is; empty: as its name says, else a fact."""


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
    timestamp histories are in no order. `text` (what was written in a review) and `helpful` (how many found
    it so) are never guessed; see `data.reviews`."""
    categories_separator: str = "|"
    """Separator of an item's categories within one cell."""
    division: str = ""
    """The column of the items that divides them into parts, as `department`: `data.cross_domain` may cross
    them (`shop/Music`), negatives are drawn from the target's part, and figures are given for each."""
    joins: list[Join] = Field(default=[])
    """Further tables with names, descriptions, categories or facts of the items, as `[{file: genres.csv, on:
    movie, add: genre}]`."""
    facts: list[str] = Field(default=[])
    """Further columns of the items that are shown to teachers and to whoever asks, and are searched: price,
    city, maker."""
    format: Literal["", "csv", "tsv", "jsonl", "json", "parquet"] = ""
    """The format of files whose ending says none; the endings .csv, .tsv, .jsonl, .ndjson, .json and .parquet
    do, each also with .gz."""
    encoding: str = "utf-8"
    """The encoding of the files, by a name that Python knows: utf-8, latin-1, cp949, utf-16 …"""
    separator: str = ""
    """What parts the fields of CSV: one sign or several, as `::`. Empty: whichever of tab, comma, semicolon
    and bar the first line has most of.
    """
    quoted: bool = True
    """Whether fields of CSV may stand in quotes; without it quotes are data."""
    columns: dict[Literal["items", "interactions"], list[str]] = Field(default={})
    """The names of all columns of files without a header line, as `{items: [item_id, title]}`."""
    time_format: str = ""
    """How times are written, as of strptime (`%d-%m-%Y %H:%M`). Empty: seconds to nanoseconds since 1970,
    20240131, or the year first, as 2024-01-31 12:30."""
    kind: Literal["rating", "click", "purchase", "play", "review"] = "rating"
    """What an interaction is, for the wording of prompts."""
    positive_threshold: float = 1.0
    """Value from which on an interaction counts as liked."""
    people: str = ""
    """A name for whose user ids these are: datasets that share it share users, who are then parted together
    and may be crossed (`cross_domain`). Empty: nobody else's.
    """
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
    since: str = ""
    """Interactions before this day or time (2015-01-31, or 2015-01-31T12:00) are left out; UTC. Datasets
    without times keep theirs.
    """
    until: str = ""
    """Likewise after it; a day counts whole."""
    min_item_likes: NonNegativeInt = 0
    """Items that fewer users liked are left out, with what happened to them."""
    k_core: NonNegativeInt = 0
    """Only users who liked so many items, and items that so many of those users liked, are kept (the k-core
    of the likes).
    """
    require: list[Literal["description", "categories", "year"]] = Field(default=[])
    """Items that lack any of these are left out, with what happened to them."""
    reviews: NonNegativeInt = 0
    """Sentences of reviews that are told of an item, as opinions and the most helpful first; of people who
    are in no case. Published by Amazon, Yelp and Steam; of your own where `interaction_columns` maps `text`.
    """
    custom: dict[str, CustomDatasetConfig] = Field(default={})
    """Your own datasets, by the name that `datasets` then uses."""
    seed: int = 7
    """Seed of all draws of users, targets and candidates."""

    @field_validator("since", "until", mode="before")
    @classmethod
    def _a_time(cls, value: Any) -> str:
        """As text: YAML makes dates of some."""
        written = value.isoformat() if isinstance(value, datetime.date) else str(value)
        if written:
            moment(written)
        return written

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.since and self.until and moment(self.since) >= moment(self.until, end=True):
            raise ValueError("data.since has to be before data.until")
        return self

    @property
    def folder(self) -> Path:
        """The folder that `root` stands for."""
        return SAMPLES if self.root == _EMBEDDED else self.root
