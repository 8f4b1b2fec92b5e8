"""What the stage `fit` chooses and measures: choice.json of each domain, and what its manifest repeats."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal, get_args

from pydantic import AfterValidator

from rectune.core.figures.record import Count, Interval, NonNegative, Record, Share, StageRecord, complete

HistoryLength = Literal["0", "1-4", "5+"]
HISTORY_LENGTHS: tuple[HistoryLength, ...] = get_args(HistoryLength)


class RankerWeights(Record):
    """One ranker, or a fusion of several: the weighted sum of their scores, standardised over the catalogue.

    score(item) = sum over rankers of weight * standardised score. Where rankers that learn from likes are
    fused with rankers that do not, those count n / (n + half_likes) of their weight for an item that n train
    users liked, and the others take over the rest.
    """

    weights: dict[str, Share]
    """By ranker; their sum is 1."""
    half_likes: NonNegative
    """Likes of an item at which rankers that learn from likes count half of their weight; 0: always all."""


class ValidatedWeights(RankerWeights):
    """The same, and how it does on validation users."""

    ndcg_at_10: Share
    """NDCG@10 of the item really taken next among the whole catalogue."""
    interval: Interval
    """Its 95 % interval (bootstrap over users)."""
    hit_at_10: Share
    """The share of the users whose next item is among the first 10."""
    behind: float
    """NDCG@10 of the best that may be chosen less this one's, on the same users; below 0 for one that is
    better, and left out for telling the next item less well from others."""
    behind_error: NonNegative
    """The standard error of that difference."""

    def are(self, weights: RankerWeights) -> bool:
        """Whether these are the weights that were measured."""
        return (self.weights, self.half_likes) == (weights.weights, weights.half_likes)


class RankerChoice(Record):
    """A ranker or a fusion that was chosen on validation users, as for histories of one length."""

    chosen: RankerWeights
    """What ranks: the simplest of those that may be chosen which is at most one standard error behind the
    best of them."""
    cases: Count
    """Validation users; 0 where there were none, so that the default ranks."""
    tried: tuple[ValidatedWeights, ...]
    """Everything that was tried with each ranker's best parameters, the best first."""

    @property
    def measured(self) -> ValidatedWeights | None:
        """How what was chosen does on validation users; None for a default."""
        return next((one for one in self.tried if one.are(self.chosen)), None)


class QueryChoice(RankerChoice):
    """What ranks for a query in words, where `index` is the search in the catalogue's index; its validation
    users are in no test, and their queries were written by a language model for the item really taken.
    """

    history_weight: Share
    """How much the ranking by the history counts beside that of the query, where both are given."""


class DomainChoice(StageRecord):
    """What ranks in one domain, chosen on users who are in no test; choice.json."""

    stage: ClassVar[str] = "fit"
    file: ClassVar[str] = "choice.json"

    domain: str
    """The domain."""
    items: Count
    """Items of the catalogue."""
    likes: Count
    """Likes of train users, validation users included: what the rankers are fitted on in the end."""
    users: Count
    """Train users with a like."""
    timed: bool
    """Whether likes have times; without them the item that counts as taken next is drawn."""
    parameters: dict[str, dict[str, Any]]
    """The arguments of each ranker that validation chose, by ranker; empty: its defaults."""
    warm_started: tuple[str, ...]
    """The rankers whose training on all likes started from what an earlier run had trained: their weights
    depend on what was fitted before, and validation measured others, which began anew."""
    histories: Annotated[
        dict[HistoryLength, RankerChoice], AfterValidator(lambda found: complete(found, HISTORY_LENGTHS))
    ]
    """By the number of items of a history that the catalogue has."""
    queries: QueryChoice
    """For queries."""


class DomainFit(Record):
    """One domain in short."""

    users: Count
    """Train users with a like."""
    likes: Count
    """Their likes."""
    cases: Count
    """Validation users with histories of 5 and more items."""
    chosen: dict[HistoryLength, dict[str, Share]]
    """The weights by ranker, by the length of histories."""
    queries: dict[str, Share]
    """The weights for queries."""
    warm_started: tuple[str, ...]
    """The rankers whose training started from an earlier run's."""


class FitFigures(StageRecord):
    """The stage `fit`."""

    stage: ClassVar[str] = "fit"

    domains: dict[str, DomainFit]
    """By domain."""
    reused: Count
    """Fitted rankers and validated scores that were taken from an earlier run."""
    made: Count
    """Those that were made."""
