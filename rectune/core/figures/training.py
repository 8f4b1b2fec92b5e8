"""What the stages that train measure: `sft` and `dpo`."""

from __future__ import annotations

from typing import Any, ClassVar

from rectune.core.figures.record import Count, NonNegative, Record, RowCounts, Share
from rectune.core.types import PairSource


class LossFigures(Record):
    """What the log of a training run comes to. Losses are in nats."""

    steps: Count
    """Optimizer steps."""
    first_loss: float
    """The training loss at the first logged step."""
    last_loss: float
    """The training loss at the last logged step."""
    tokens_seen: Count
    """Tokens trained on over all attempts, padding left out."""
    tokens_per_second: NonNegative
    """Tokens a second over all attempts; 0 where no time was logged."""
    first_eval_loss: float | None
    """The first held-out loss; None where nothing is held out."""
    last_eval_loss: float | None
    """The last held-out loss; None where nothing is held out."""


class FitFigures(LossFigures):
    """What a training run came to, whatever was trained."""

    best_step: Count | None
    """The optimizer step whose adapter was kept; None where nothing is held out, so the last is."""
    best_eval_loss: float | None
    """The held-out loss at that step; None where nothing is held out."""
    adapter_changed: Share
    """The share of the adapter's parameters that training changed."""
    processes: Count
    """Processes that trained together."""
    zero_stage: Count
    """DeepSpeed's ZeRO stage; 0 is without DeepSpeed."""
    deepspeed: dict[str, Any] | None
    """DeepSpeed's configuration as it was used; None without DeepSpeed."""


class WatchedAnswer(Record):
    """What the model wrote for a held-out example at the last evaluation."""

    step: Count
    """The optimizer step."""
    example: str
    """The example's id."""
    prompt: str
    """The prompt as the model read it, control tokens included."""
    wanted: str
    """The answer in the data."""
    answer: str
    """What the model wrote, greedily."""


class SftFigures(FitFigures, RowCounts):
    """The stage `sft`: rows are examples."""

    stage: ClassVar[str] = "sft"

    tokens: Count
    """Tokens of the examples that fit."""
    trained_tokens: Count
    """Those of them that the loss is taken on: the responses."""
    history_lists: Count
    """Of `rows_in`, histories of train users as lists of titles."""
    held_out: Count
    """Examples of held-out users."""
    generations: tuple[WatchedAnswer, ...]
    """What the model wrote for held-out examples at the last evaluation; empty where nothing is held out."""
    packed_rows: Count
    """Rows that the examples were packed into."""
    attention: str
    """The attention implementation."""


class PairFigures(Record):
    """The adapter that DPO kept, on held-out pairs. Log-probabilities are sums over an answer, in nats."""

    pairs: Count
    """Held-out pairs."""
    loss: float
    """The mean loss in nats."""
    accuracy: Share
    """The share of the pairs whose chosen answer has the higher reward."""
    accuracy_low: Share
    """The lower end of its 95 % interval (Wilson)."""
    accuracy_high: Share
    """The upper end of its 95 % interval (Wilson)."""
    right_before: Share
    """The share of the pairs whose chosen answer was the more likely one at the start."""
    right: Share
    """The share of the pairs whose chosen answer is the more likely one."""
    margin: float
    """The mean reward of the chosen less that of the rejected answers, in nats."""
    chosen_logps_change: float
    """How the mean log-probability of the chosen answers changed since the start."""
    rejected_logps_change: float
    """How the mean log-probability of the rejected answers changed since the start."""


class HeldOutPairs(PairFigures):
    """The same over all held-out pairs, and by their source."""

    step: Count
    """The optimizer step that was measured."""
    sources: dict[PairSource, PairFigures]
    """By source of the pairs; empty where all are of one."""
    kl: float
    """The distance of the model from its reference on the chosen answers, in nats a token."""


class AnswerLengths(Record):
    """Lengths of the answers watched during DPO, in tokens."""

    before: NonNegative
    """The mean before training."""
    after: NonNegative
    """The mean at the last evaluation."""
    growth: float
    """By which share they grew; -1 or more."""


class DpoFigures(FitFigures, RowCounts):
    """The stage `dpo`: rows are preference pairs."""

    stage: ClassVar[str] = "dpo"

    pairs: Count
    """Pairs that fit."""
    tokens: Count
    """Tokens of all answers, each with its prompt."""
    margin: float
    """The reward margin at the last logged training step, in nats."""
    accuracy: Share
    """The share of that step's pairs whose chosen answer has the higher reward."""
    held_out: HeldOutPairs | None
    """The kept adapter on held-out pairs; None where nothing is held out."""
    answer_tokens: AnswerLengths | None
    """How the lengths of watched answers changed; None where they were watched once or never."""
    warnings: tuple[str, ...]
    """What went the wrong way, with figures."""
    sources: dict[PairSource, Count]
    """Pairs by where they come from: tags, or interactions (ranking)."""
    annotators: dict[str, Count]
    """Tagged pairs by who tagged them."""
