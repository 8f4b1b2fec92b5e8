"""What the stages that make training rows measure: `data`, `queries`, `rationales` and `filter`."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import AfterValidator

from rectune.core.figures.record import Count, NonNegative, Record, RowCounts, Share, StageRecord, complete
from rectune.core.types import SPLITS, Locale, Split


class CaseCounts(Record):
    """Cases of one source and split."""

    wanted: Count
    """Cases that the recipe asked for."""
    got: Count
    """Cases that there were."""


CasesBySplit = Annotated[dict[Split, CaseCounts], AfterValidator(lambda found: complete(found, SPLITS))]


class DatasetCounts(Record):
    """What reading a dataset came to: `dropped` and `first` say what was left out, why, and where first."""

    layout: str
    """Which of the publisher's layouts of files was found."""
    licence: str
    """The licence of that layout in words; may be empty for a dataset of one's own."""
    redistributable: bool
    """Whether the data may be passed on."""
    ordered: bool
    """Whether interactions have times."""
    met_again: bool
    """Whether a user may meet an item more than once."""
    items_in: Count
    """Items as published."""
    rows_in: Count
    """Interactions as published."""
    rows_out: Count
    """Interactions that were kept."""
    items: Count
    """Items that were kept."""
    users: Count
    """Users that were kept."""
    dropped: dict[str, Count]
    """Items, lines and interactions that were left out, by reason."""
    first: dict[str, tuple[str, ...]]
    """Where each reason was met first in each file (file:line: why, or the interaction's number), by reason;
    reasons of which no place is known are not in it."""
    notes: tuple[str, ...]
    """Warnings about what was read although nothing was left out for it."""


class OpinionCounts(Record):
    """What became of a dataset's reviews: sentences of them are opinions, which are facts of the items."""

    reviews: Count
    """Reviews of known items that say something."""
    in_cases: Count
    """Those of people who are in a case: nobody of them is quoted."""
    out_of_time: Count
    """Those of the others that were written after the training ends, or outside `data.since` and
    `data.until`."""
    personal: Count
    """Sentences that were left out because of personal data, of those that were looked at."""
    items: Count
    """Items with an opinion."""
    opinions: Count
    """Opinions, of all items together."""


class DatasetFigures(Record):
    """One dataset of the recipe."""

    domain: str
    """The domain of its items, such as movies."""
    licence: str
    """Its licence in words; may be empty for a dataset of one's own."""
    redistributable: bool
    """Whether it may be passed on."""
    publisher: str
    """Who published it, with the citation where one is asked for; empty for a dataset of one's own."""
    home: str
    """The address that it is published at; empty for a dataset of one's own."""
    positive_threshold: float
    """The value from which an interaction counts as liked, in the dataset's own unit."""
    items: Count
    """Items."""
    users: Count
    """Users."""
    interactions: Count
    """Interactions."""
    read: DatasetCounts
    """What reading it came to."""
    opinions: OpinionCounts | None
    """What became of its reviews; None where `data.reviews` is 0 or none are published."""
    cases: CasesBySplit
    """Cases that were wanted and got, by split."""
    categories: dict[str, dict[Split, Count]]
    """Cases by category of the target, then split (those without a case are not in it); empty where the
    publisher divides the dataset into none."""


class DataFigures(RowCounts):
    """The stage `data`: rows in are interactions, rows out are cases."""

    stage: ClassVar[str] = "data"

    root: str
    """The folder of the raw files as the recipe names it, or `embedded`."""
    datasets: dict[str, DatasetFigures]
    """By dataset."""
    cross_domain: dict[str, CasesBySplit]
    """Cases with a history in one domain and a target in another, by pair; empty where none is wanted."""


class QueriesFigures(RowCounts):
    """The stage `queries`: rows in are planned prompts, rows out are rendered ones."""

    stage: ClassVar[str] = "queries"

    longest_lost: dict[Locale, Count]
    """Tokens of the longest prompt that was dropped as too long, by language; languages that lost none are
    not in it."""
    shortened: Count
    """Prompts whose oldest items were left out to fit."""
    left_out: Count
    """Items that were left out of them, in all."""
    asked_passively_instead: Count
    """Active prompts that became passive because every query for them was refused."""
    queries: Count
    """Search queries that were accepted."""
    refused: dict[str, Count]
    """Search queries that were refused, by reason; one prompt may count several times."""
    kinds: dict[str, Count]
    """Prompts by split/scenario/form/locale."""


class RationalesFigures(RowCounts):
    """The stage `rationales`: rows in are training prompts, rows out are examples."""

    stage: ClassVar[str] = "rationales"

    closing: dict[str, Count]
    """Examples by who named the item that the response ends with: model or template."""
    teachers: dict[str, Count]
    """Examples by the model that wrote them, as name@digest."""
    stopped_by_limit: Count
    """Responses that ended at the token limit."""
    shortened: Count
    """Requests whose history was shortened to fit into the context."""
    left_out: Count
    """Items that were left out of them, in all."""
    tokens: Count
    """Tokens that the teachers wrote."""
    texts: Count
    """Texts that the teachers wrote, of which one is kept for each example."""
    unsupported: Share | None
    """Mean share of content words without source, of the kept texts; None where it is known of none."""
    first_unsupported: Share | None
    """The same of the texts that were written first."""
    domains: dict[str, Count]
    """Examples by domain, and by domain/category where there is one."""


class FilteredGroup(Record):
    """What became of the responses of a domain, or of a domain/category."""

    rows: Count
    """Responses that were judged."""
    kept: Count
    """Responses that were kept."""
    dropped: dict[str, Count]
    """Responses that each reason drops."""


class LengthBucket(Record):
    """Responses of `start` tokens and more, but fewer than `end`."""

    start: Count
    """The first length in tokens."""
    end: Count | None
    """The length in tokens at which the next bucket starts; None for the last bucket, which has no end."""
    rows: Count
    """Responses of these lengths."""
    dropped: Count
    """Those that were dropped for any reason."""
    dropped_by_score: Count
    """Those that the response score drops."""


class FilterFigures(RowCounts):
    """The stage `filter`: rows are examples."""

    stage: ClassVar[str] = "filter"

    dropped_by_one_rule_alone: dict[str, Count]
    """Examples that only this reason drops; reasons that never stand alone are not in it."""
    overlap: dict[str, dict[str, Count]]
    """Examples that two reasons drop both (with itself: all that it drops)."""
    threshold: NonNegative
    """The response score ln(L)*L/C from which on a response is dropped."""
    tokenizer: str
    """The model whose tokenizer counted the tokens."""
    domains: dict[str, FilteredGroup]
    """By domain, and by domain/category where there is one."""
    lengths: tuple[LengthBucket, ...]
    """By length, shortest first."""


class BorderlineRow(Record):
    """A response near the threshold, for people to read."""

    id: str
    """The example's id."""
    domain: str
    """The domain of what it recommends."""
    score: NonNegative
    """Its response score ln(L)*L/C."""
    tokens: Count
    """Its length in tokens."""
    reasons: tuple[str, ...]
    """Why it was dropped; empty where it was kept."""
    response: str
    """Its text."""


class BorderlineRows(StageRecord):
    """The responses that a person should read, in the filter's extremes.json."""

    stage: ClassVar[str] = "filter"
    file: ClassVar[str] = "extremes.json"

    worst_kept: tuple[BorderlineRow, ...]
    """The highest scores that were kept, highest first."""
    best_dropped: tuple[BorderlineRow, ...]
    """The lowest scores that were dropped, lowest first."""
