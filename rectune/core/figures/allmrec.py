"""What the stages of A-LLMRec measure: `allmrec_items` and `allmrec_llm`."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

from pydantic import AfterValidator

from rectune.core.figures.fit import HISTORY_LENGTHS, HistoryLength, RankerWeights, ValidatedWeights
from rectune.core.figures.record import Count, Interval, NonNegative, Record, Share, StageRecord, complete


class TextLengths(Record):
    """What was done with texts of items that are longer than `allmrec.items.max_tokens`."""

    cut: Count
    """Texts that were cut."""
    summarised: Count
    """Texts that a teacher's summary stands for."""
    unsupported: Count
    """Summaries that are not read, since they say what the text does not, or nothing, or repeat themselves,
    or it cannot be told; these texts are among those that were cut."""
    failed: Count
    """Requests for a summary that failed; these texts are among those that were cut."""


class JointTraining(Record):
    """Stage 1 in one domain."""

    items: Count
    """Items of the catalogue."""
    cold: Count
    """Those of them that lie where their texts are read, since few or nobody liked them."""
    texts: TextLengths
    """Their texts that are too long."""
    users: Count
    """Train users with a like, without the validation users."""
    validation_users: Count
    """Users who were left out, on whom the stage `allmrec_llm` compares; 0 where there are too few users."""
    parameters: dict[str, Any]
    """The arguments of the recommender; empty: its defaults."""
    losses: dict[str, float]
    """Each loss before it is weighed, the mean over the epoch that was kept; empty where nobody liked two
    items, so that nothing was trained."""
    held_out: tuple[float, ...]
    """The weighed loss of held-out users and items after each epoch; empty where there are too few to hold
    any out, and as for `losses`."""
    best_epoch: Count
    """The epoch whose weights were kept, from 1; 0 as for `losses`."""


class AllmrecItemsFigures(StageRecord):
    """The stage `allmrec_items`."""

    stage: ClassVar[str] = "allmrec_items"

    recommender: str
    """The frozen recommender."""
    reused: Count
    """Fitted recommenders and trained spaces that were taken from an earlier run."""
    made: Count
    """Those that were made."""
    domains: dict[str, JointTraining]
    """By domain."""


class SoftTraining(Record):
    """A ranker of stage 2 in one domain."""

    cases: Count
    """Likes that were trained on; 0 where nobody liked two items, so that nothing was trained."""
    held_out_cases: Count
    """Likes of held-out users, by whom it was seen when to stop."""
    steps: Count
    """Optimizer steps."""
    epochs: Count
    """Epochs that were made."""
    best_epoch: Count
    """The epoch whose weights were kept, from 1; 0 where nothing was trained."""
    loss_before: float | None
    """The held-out loss before training; None where nobody was held out."""
    loss: float | None
    """The held-out loss of what was kept; None where nobody was held out."""
    seconds: NonNegative
    """Of the last attempt at its training."""
    changed: dict[str, Share]
    """By trained part the share of its elements that training changed."""
    model_digest: str
    """A hash of all weights of the language model, the same before and after; empty where nothing was
    trained."""
    items_digest: str
    """A hash of all weights of stage 1, recommender and joint space, the same before and after; empty where
    nothing was trained."""


class BesideChoice(Record):
    """Whether new rankers are taken for histories of one length."""

    chosen: RankerWeights
    """What ranks."""
    before: RankerWeights
    """What was chosen before."""
    cases: Count
    """Validation users."""
    tried: tuple[ValidatedWeights, ...]
    """What was chosen before, every new ranker alone, and each fused with it, the best first; empty with too
    few users."""
    difference: float | None
    """NDCG@10 of the best, each user under what is best for the others, less that of what was chosen before;
    None where nothing was compared."""
    interval: Interval | None
    """Its 95 % interval (bootstrap over users); the best is taken where it lies above 0. None as for
    `difference`."""

    @property
    def taken(self) -> bool:
        """Whether something new ranks."""
        return self.chosen != self.before


class AllmrecDomain(Record):
    """One domain."""

    trained: dict[str, SoftTraining]
    """By ranker."""
    histories: Annotated[
        dict[HistoryLength, BesideChoice], AfterValidator(lambda found: complete(found, HISTORY_LENGTHS))
    ]
    """By the number of items of a history that the catalogue has."""


class AllmrecLlmFigures(StageRecord):
    """The stage `allmrec_llm`."""

    stage: ClassVar[str] = "allmrec_llm"

    model: str
    """The frozen language model, by name."""
    tuned: bool
    """Whether it bears the adapter of the stage `sft`."""
    processes: Count
    """Processes that trained together."""
    reused: Count
    """Trained rankers that were taken from an earlier run."""
    made: Count
    """Those that were made."""
    domains: dict[str, AllmrecDomain]
    """By domain."""
