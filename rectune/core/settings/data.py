"""The section `data`: which datasets are read, and what cases are made of them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from rectune.core.settings.base import Count, Fraction, Section, Share
from rectune.core.shipped import SAMPLES

_EMBEDDED = Path("embedded")

# The published mixture, in per cent.
SHARES = {
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
LIKED = {
    "mind": 1.0,
    "amazon_music": 4.0,
    "yelp": 4.0,
    "anime": 8.0,
    "books": 7.0,
    "movielens": 4.0,
    "steam": 2.0,
    "amazon": 4.0,
}


class Crossing(Section):
    """Training cases with a history in one domain and a target in another, of users whom both know."""

    history: str
    """A dataset of the recipe, or one category of it, as `amazon/Electronics`, from which histories are
    taken."""
    target: str
    """Likewise, from which targets are taken. Both must share user ids: editions of different years do
    not."""
    share: Share
    """Weight in the mixture, beside those of `shares`."""


class Custom(Section):
    """A dataset of one's own: which files it is, and which column is what."""

    domain: str
    """What its items are: one of the eight domains, or a name of one's own, which is worded as `other`."""
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
    """What parts the categories of an item where they stand in one cell."""
    facts: list[str] = Field(default=[])
    """Further columns of the items that are shown to teachers and to whoever asks, and are searched: price,
    city, maker."""
    format: Literal["", "csv", "tsv", "jsonl", "json", "parquet"] = ""
    """The format of files whose ending says none; the endings .csv, .tsv, .jsonl, .ndjson, .json and .parquet
    do, each also with .gz."""
    encoding: str = "utf-8"
    """The encoding of the files, by a name that Python knows: utf-8, latin-1, cp949, utf-16 …"""
    separator: str = ""
    """What parts the fields of CSV: one sign or several, as `::`. Empty: whichever of tab, comma, semicolon and
    bar the first line has most of."""
    quoted: bool = True
    """Whether fields of CSV may stand in quotes; without it quotes are data."""
    columns: dict[Literal["items", "interactions"], list[str]] = Field(default={})
    """The names of all columns of files without a header line, as `{items: [item_id, title]}`."""
    time_format: str = ""
    """How times are written, as of strptime (`%d-%m-%Y %H:%M`). Empty: seconds to nanoseconds since 1970,
    20240131, or the year first, as 2024-01-31 12:30."""
    kind: Literal["rating", "click", "purchase", "play", "review"] = "rating"
    """What an interaction is, for the wording of prompts."""
    liked: float = 1.0
    """From which value on an interaction counts as liked."""
    licence: str = ""
    """The licence of the data, for the cards that are published."""
    redistributable: bool = False
    """Whether the licence lets rows made of the data be published."""


class Data(Section):
    """Which datasets become which cases."""

    root: Path = _EMBEDDED
    """The folder that holds one folder a dataset; `embedded` is the sample data that comes with rectune."""
    datasets: list[str] = Field(default=list(SHARES), min_length=1)
    """The datasets that are read: names that `rectune data list` shows, or keys of `custom`."""
    categories: dict[str, list[str]] = Field(default={})
    """Categories that are read of a dataset that comes by category, as `{amazon: [Electronics]}`; all that
    are there of a dataset that is not named."""
    shares: dict[str, Share] = Field(default=SHARES)
    """Relative weights of the datasets in the training cases; 0 gives none. By default the published mixture,
    in per cent. Every dataset that is read needs one."""
    shortfall: Literal["accept", "spread"] = "accept"
    """What happens when a dataset has fewer cases than its share asks for: `accept` fewer in all, or `spread`
    what is missing over the others, which changes the mixture."""
    crossings: list[Crossing] = Field(default=[])
    """Further training cases across two domains, for a model that recommends from a history of other
    things."""
    liked: dict[str, float] = Field(default=LIKED)
    """The value (stars, points, hours played, clicks) from which on an interaction counts as liked, by
    dataset; a dataset that is not named has its own from `rectune data list`. Interactions without a value
    never count."""
    train: Count = 600_000
    """Training cases. Users of training, preference and test cases are disjoint."""
    preference: Count = 3000
    """Cases to choose `candidates.prompts` from; more than those are needed to balance domains and kinds."""
    test: Count = 2000
    """Test cases, as many of each dataset. More narrow the intervals of the evaluation, and it takes
    longer."""
    train_until: Fraction = 0.9
    """The earliest share of all likes that training and preferences use; tests ask for later ones, where
    times are published. 1 parts users alone, and lets training see likes later than those of the tests."""
    min_history: Count = 5
    """Liked items before the target that a case has at least. Fewer let more users in, and tell less of
    each."""
    max_history: Count = 20
    """Liked items before the target that a case has at most: the latest. Longer ones make longer prompts."""
    candidates: Annotated[int, Field(ge=2)] = 20
    """Items a case is ranked among, the target included."""
    negatives: Literal["uniform", "popularity", "near"] = "uniform"
    """How the other candidates are drawn, from the target's category where it has one: each alike, by
    `popularity`, or `near` the target in the space of `embedder`, which is hardest."""
    embedder: str = "embedded"
    """The model that says what is `near`: `embedded` (MiniLM, English) or a sentence-transformers Hub id."""
    malformed: Fraction = 0.01
    """Share of a file's lines that may be unreadable before reading it is an error."""
    custom: dict[str, Custom] = Field(default={})
    """Datasets of one's own, by the name that `datasets` then uses."""
    seed: int = 7
    """Seed of all draws of users, targets and candidates."""

    @property
    def folder(self) -> Path:
        """The folder that `root` means."""
        return SAMPLES if self.root == _EMBEDDED else self.root
