"""What the stage `eval` measures: metrics.json, and what its manifest repeats."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal, get_args

from pydantic import AfterValidator

from rectune.core.figures.record import (
    Count,
    Interval,
    MeanInterval,
    Record,
    RowCounts,
    Share,
    ShareInterval,
    StageRecord,
    complete,
)

Third = Literal["first third", "middle third", "last third"]
THIRDS: tuple[Third, ...] = get_args(Third)
SharesByThird = Annotated[dict[Third, ShareInterval], AfterValidator(lambda found: complete(found, THIRDS))]


class RankingFigures(Record):
    """One system over some cases; with several draws of candidates every figure is the mean over them."""

    n: Count
    """Cases, 1 or more."""
    draws: Count
    """Draws of candidates for each of them."""
    hit_at_1: Share
    """The share of the cases whose target is ranked first."""
    interval: Interval
    """The 95 % interval of Hit@1: Wilson with one draw, else bootstrap over users."""
    hit_at_5: Share
    """The share of the cases whose target is among the first 5."""
    hit_at_5_interval: Interval
    """Its 95 % interval (bootstrap over users)."""
    hit_at_10: Share
    """The share of the cases whose target is among the first 10."""
    hit_at_10_interval: Interval
    """Its 95 % interval (bootstrap over users)."""
    mrr: Share
    """The mean reciprocal rank of the target."""
    mrr_interval: Interval
    """Its 95 % interval (bootstrap over users)."""
    ndcg_at_10: Share
    """The normalised discounted cumulative gain of the first 10."""
    ndcg_at_10_interval: Interval
    """Its 95 % interval (bootstrap over users)."""
    hit_at_1_by_draw: tuple[Share, ...] | None
    """Hit@1 of each draw; None with a single one."""


class SystemFigures(RankingFigures):
    """One system over all cases, and over parts of them; None for a part of which it ranked no case."""

    domains: dict[str, RankingFigures | None]
    """By domain, and by domain/category where there is one."""
    groups: dict[str, RankingFigures | None]
    """By kind of user or item."""


class Protocol(Record):
    """Which candidates a target is ranked among."""

    protocol: str
    """In words."""
    candidates: Count
    """Candidates of a case, at most."""
    chance: Share
    """Hit@1 by chance."""


class ProtocolFigures(Protocol):
    """All systems under another protocol than the cases' own candidates."""

    systems: dict[str, RankingFigures]
    """By system."""


class Difference(Record):
    """How one system does beside another on the same cases."""

    n: Count
    """Cases."""
    difference: float
    """Hit@1 less that of the other, -1 to 1."""
    interval: Interval
    """Its 95 % interval (bootstrap over users)."""
    won: Count
    """Cases that only this system ranks right."""
    lost: Count
    """Cases that only the other ranks right."""
    p: Share
    """The p-value of McNemar's exact test."""
    mrr_difference: float
    """The mean reciprocal rank less that of the other, -1 to 1."""
    mrr_interval: Interval
    """Its 95 % interval (bootstrap over users)."""


class PairedDifference(Difference):
    """Two systems by name."""

    system: str
    """The system."""
    against: str
    """The other."""
    holm: Share
    """p corrected for the number of pairs (Holm)."""


class RankingMetrics(Protocol):
    """Every system on the cases' own candidates, and under the other protocols."""

    intervals: str
    """How intervals were taken, in words."""
    cases: Count
    """Test cases."""
    systems: dict[str, SystemFigures]
    """By system, on the cases' own candidates."""
    protocols: dict[str, ProtocolFigures]
    """By further protocol; empty where none is asked for."""
    pairs: tuple[PairedDifference, ...]
    """Systems beside each other on the cases' own candidates."""


class FusionFigures(Record):
    """The weights that were chosen for a language model, 0 to 1."""

    prior: Share
    """How much of the likelihood without a history is taken off."""
    fused: Share
    """How much the model counts beside the embedding."""
    lexical: Share
    """How much the model counts beside BM25."""
    hybrid: Share
    """How much the model counts beside both."""
    continuation: Share
    """How much of the likelihood behind a list without titles is taken off."""
    continuation_hybrid: Share
    """How much the continued list counts beside both."""
    cases: Count
    """Cases that they were chosen on; 0 where nothing was, so that all are the default."""


class PositionBias(Record):
    """Whether a system that is shown candidates in an order prefers some places of it.

    Intervals are of users: of the bootstrap where a user has several lists, else Wilson's.
    """

    n: Count
    """Lists that were shown."""
    unread: Share
    """The share of the answers that name no candidate."""
    picked: SharesByThird
    """The share of what was put first that had stood in each third of the list."""
    hit_at_1: SharesByThird
    """Hit@1 by the third of the list that the target stood in."""


class TitleCompletion(Record):
    """Titles that the base model ends as they end when it is given their first half."""

    n: Count
    """Titles."""
    completed: ShareInterval
    """The share that it ends rightly."""
    control: ShareInterval
    """The share that it ends as another title of the domain ends."""


class MemorisedTitles(TitleCompletion):
    """The same over all domains and by domain."""

    domains: dict[str, TitleCompletion]
    """By domain."""


class MemorisedItems(Record):
    """Whether the base model names the next item without the history."""

    n: Count
    """Cases."""
    hit_at_1: dict[str, ShareInterval]
    """Hit@1 among the case's own candidates, by what the model is shown of the history; a way that no case
    allows (another user's, of a single user) is not in it."""


class Memorisation(Record):
    """What the base model knows by heart; also in memorisation.json."""

    model: str
    """The system that was asked."""
    titles: MemorisedTitles | None
    """Titles; None where no domain has enough long ones."""
    next_item: MemorisedItems
    """The next item."""


class AnswerMeans(Record):
    """Figures of answers: means with their 95 % intervals (bootstrap over users)."""

    hit_at_1: MeanInterval
    """Whether the answer names the item really taken next, by its exact title; a difference is -1 to 1."""
    grounded: MeanInterval
    """Whether it names an item of the catalogue that is not in the history; a difference is -1 to 1."""
    invented: MeanInterval
    """Whether it recommends a title that the domain lacks; a difference is -1 to 1."""
    other_domain: MeanInterval
    """Whether it names a title of another domain of the run; a difference is -1 to 1."""
    score: MeanInterval
    """Its response score ln(L)*L/C, counted in words."""
    repetition: MeanInterval
    """The share of its 3-word runs that came before; a difference is -1 to 1."""
    off_topic: MeanInterval
    """The share of its sentences that are near to nothing that was asked; a difference is -1 to 1."""
    words: MeanInterval
    """Its words."""


class AnsweredSystem(AnswerMeans):
    """One model's answers."""

    how: dict[str, Share]
    """The share of the answers by the step of grounding that resolves them."""


class AnswerComparison(Record):
    """What the base model and those before and after DPO answer to the same prompts; also in answers.json."""

    prompts: Count
    """Prompts."""
    users: Count
    """Users whose prompts they are."""
    sampling: dict[str, Any]
    """How answers were sampled: the recipe's retrieval.sampling."""
    figures: dict[str, str]
    """What each figure means, by its name in JSON."""
    systems: dict[str, AnsweredSystem]
    """By model."""
    difference: AnswerMeans
    """The figures of the model after DPO less those of the one before it, prompt by prompt."""
    difference_is: str
    """Which is taken from which, in words."""


class EvalMetrics(RankingMetrics, StageRecord):
    """Everything that the stage measured, in metrics.json."""

    stage: ClassVar[str] = "eval"
    file: ClassVar[str] = "metrics.json"

    weights: dict[str, FusionFigures]
    """The weights that were chosen, by language model."""
    position: dict[str, PositionBias]
    """By system that is shown the candidates; empty where no system is."""
    memorisation: Memorisation | None
    """What the base model knows by heart; None where it is not asked for, or not ranked."""
    answers: AnswerComparison | None
    """The answers before and after DPO; None where none are asked for."""


class EvalFigures(RowCounts):
    """The stage `eval`: rows are test cases."""

    stage: ClassVar[str] = "eval"

    hit_at_1: dict[str, Share]
    """Hit@1 on the cases' own candidates, by system."""
    chance: Share
    """Hit@1 by chance."""
    grounded_by: dict[str, dict[str, Share]]
    """By model, the share of its sample answers that each step of grounding resolved."""


class BestBaseline(Record):
    """The interaction-free baseline with the highest Hit@1 on a domain that was left out."""

    name: str
    """The baseline; chosen with hindsight, which favours it."""
    differences: dict[str, Difference]
    """How base and tuned models do beside it, by system."""


class DraftFigures(Record):
    """What a model names in free answers for people of a domain that it was not tuned on."""

    n: Count
    """Answers."""
    invented: ShareInterval
    """The share that recommends a title that the domain lacks."""
    other_domain: ShareInterval
    """The share that names a title of a domain that the model was tuned on."""


class FoldMetrics(RankingMetrics):
    """One fold of `rectune leave-one-domain-out`."""

    drafts: dict[str, DraftFigures]
    """Free answers, by model: base and sft, and dpo where the fold is aligned too."""

    best: BestBaseline
    """The best baseline."""
