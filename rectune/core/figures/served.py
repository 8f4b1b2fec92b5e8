"""What the stage `eval` measures of the lists that the recommender really gives: served.json."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal, get_args

from pydantic import AfterValidator

from rectune.core.figures.fit import HistoryLength, RankerWeights
from rectune.core.figures.record import Count, MeanInterval, NonNegative, Record, Share, StageRecord, complete

SERVED = "served"  # the system that is the recommender itself
BEST_ALONE = "best alone on validation"  # `ServedDifference.against`

LikesBin = Literal["0", "1-4", "5-19", "20+"]
LIKES_BINS: tuple[LikesBin, ...] = get_args(LikesBin)


class ServedRank(Record):
    """Where the next item of some users stands in the whole catalogue; intervals are a bootstrap over users,
    and none is given of fewer than ten.
    """

    users: Count
    """Users."""
    hit_at_10: MeanInterval
    """The share of them whose next item is among the first 10."""
    ndcg_at_10: MeanInterval
    """Their mean NDCG@10."""


class ServedSystem(ServedRank):
    """One system on all of these users."""

    precision_at_10: MeanInterval
    """The share of the first 10 items that is the next one: a tenth of Hit@10, as there is one."""
    hit_at_1: MeanInterval
    """The share of the users whose next item is first of the case's own candidates."""
    auc: MeanInterval | None
    """The share of the other items that score less than the next one, of which ties count a half; None for a
    list, which says nothing of what is not in it, and where there are no other items."""
    train_ndcg_at_10: MeanInterval | None
    """NDCG@10 of the last like of train users, which the rankers were fitted on; None without such users."""
    gap: MeanInterval | None
    """That less the NDCG@10 of test users: -1 to 1. None without train users."""


class ServedDifference(Record):
    """NDCG@10 of what is served less that of a ranker alone, user by user."""

    against: str
    """The ranker, or `best alone on validation`: in each domain the ranker that did best by itself on
    validation users with 5 and more likes."""
    users: Count
    """Users of the domains where that ranker is fitted."""
    ndcg_at_10: MeanInterval
    """The mean difference: -1 to 1."""


class ServedGroup(Record):
    """Users of one domain, or of all."""

    users: Count
    """Test users."""
    train_users: Count
    """Train users that the gap is measured on."""
    systems: dict[str, ServedSystem]
    """By system: `served` is the recommender's list, `chosen` what was chosen, by its scores, the others are
    fitted rankers alone. Empty without users."""
    bins: Annotated[
        dict[LikesBin, dict[str, ServedRank]], AfterValidator(lambda found: complete(found, LIKES_BINS))
    ]
    """By the number of train users who liked the next item, by system; empty where there is no such user."""
    differences: tuple[ServedDifference, ...]
    """What is served beside rankers alone, user by user."""


class ServedLists(Record):
    """The lists of ten that test users are served."""

    shown: Count
    """Items that somebody is shown."""
    coverage: Share
    """Their share of the domain's items."""
    gini: Share | None
    """How unevenly items are shown, over all items of the domain: 0 all alike; None where none is shown."""
    distance: NonNegative | None
    """The mean distance of two items of a list; None without a list of two items that can be compared."""
    distance_by: Literal["vectors", "categories"]
    """1 less the cosine of the items' vectors; or the Jaccard distance of their categories."""
    novelty: NonNegative | None
    """The mean of -log2 of the share of train users who liked an item that is shown; None without train
    users."""


class ServedChoice(Record):
    """What was chosen in a domain before any test user was looked at."""

    chosen: Annotated[
        dict[HistoryLength, RankerWeights],
        AfterValidator(lambda found: complete(found, get_args(HistoryLength))),
    ]
    """What ranks, by the length of the history."""
    defaults: tuple[HistoryLength, ...]
    """The lengths for which there were too few validation users, so that a default ranks."""
    cases: Count
    """Validation users with 5 and more likes."""
    ndcg_at_10: Share | None
    """NDCG@10 on them of what was chosen for such histories; None where nothing was measured."""
    best_alone: str | None
    """The ranker that did best on them by itself; None where nothing was measured."""


class ServedDomain(ServedGroup):
    """One domain."""

    items: Count
    """Items of the domain."""
    without_history: Count
    """Test users of whom nothing but the next item is known to be liked: they are left out."""
    choice: ServedChoice
    """What was chosen."""
    lists: ServedLists
    """What the lists are like."""


class ServedMetrics(StageRecord):
    """The lists of the recommender beside every fitted ranker, for the same test users; in served.json."""

    stage: ClassVar[str] = "eval"
    file: ClassVar[str] = "served.json"

    protocol: str
    """In words."""
    candidates: Count
    """Candidates that Hit@1 is measured among, at most."""
    overall: ServedGroup | None
    """The users of all domains together; None where nothing was measured."""
    validation: dict[str, Share]
    """NDCG@10 of each ranker alone on the validation users of all domains with 5 and more likes, the best
    first."""
    domains: dict[str, ServedDomain]
    """By domain; empty where nothing was measured."""
