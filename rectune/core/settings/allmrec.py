"""The section `allmrec`: A-LLMRec, whose two stages join a recommender, texts and a language model."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, ValidationInfo, field_validator, model_validator

from rectune.core.settings.base import (
    Fraction,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    Section,
    Weight,
    runtime_only,
)
from rectune.core.settings.training import check_endpoint
from rectune.core.types import Locale

AllmrecForm = Literal["llmsrec", "allmrec", "allmrec_list"]


class JointLossesSection(Section):
    """Weights of the losses of stage 1; 0 switches a loss off. The defaults are the paper's."""

    recommendation: Weight = 1.0
    """Telling what a user liked next from a drawn item, by the decoded vector (binary cross-entropy)."""
    matching: Weight = 1.0
    """The vectors of an item and of its text are at the same place (squared difference)."""
    item_reconstruction: Weight = 0.5
    """The recommender's vector of an item can be decoded (squared difference)."""
    text_reconstruction: Weight = 0.2
    """The vector of its text can be decoded (squared difference)."""

    @model_validator(mode="after")
    def _at_least_one(self) -> Self:
        if not any((self.recommendation, self.matching, self.item_reconstruction, self.text_reconstruction)):
            raise ValueError("all losses are switched off, so nothing would be trained")
        return self


class AllmrecItemsSection(Section):
    """Stage 1, `allmrec_items`: the space that items of the recommender and texts share."""

    text: Literal["title", "title+categories", "title+description"] = "title+categories"
    """Which text of an item is embedded."""
    max_tokens: PositiveInt = 256
    """The most that is read of a text, in tokens of the embedder (words, where it has no tokenizer of its
    own), and no more than it reads: a longer text is cut after whole sentences. Memory and time of embedding
    grow with it."""
    positions: Literal["all", "last"] = "all"
    """Whether a user counts with every like, or with the last alone, as in the paper; `bert4rec` has a state
    for the last alone."""
    losses: JointLossesSection = JointLossesSection()
    """Which losses, and how much each counts."""
    num_train_epochs: PositiveInt = 10
    """Epochs at most; training stops where the loss of held-out users and items falls no longer."""
    learning_rate: PositiveFloat = 1e-4
    """Learning rate of Adam."""
    per_device_train_batch_size: PositiveInt = 32
    """Likes of a step."""


class AllmrecConfig(Section):
    """A-LLMRec beside the rankers of `fit`: a frozen sequence recommender, texts and a frozen language model,
    joined by small trained networks.
    """

    enabled: bool = runtime_only(False)
    """Whether what its stages make takes part in what ranks: `rerank`, `recommend`, `eval` and services then
    use the choice of the stage `allmrec_llm`. Without it the stages are made on request alone
    (`--until allmrec_llm`), and nothing else reads them."""
    domains: list[str] = Field(default=[])
    """The domains that it is trained for; empty: all."""
    recommender: Literal["sasrec", "sasrec_text", "bert4rec", "gru4rec", "nextitnet", "morec"] = "sasrec"
    """The sequence recommender. Where `fit.rankers` names it, what was fitted there on the same likes is
    taken, with the parameters that were chosen there; else it is fitted with its defaults."""
    items: AllmrecItemsSection = AllmrecItemsSection()
    """Stage 1."""
    summarise: bool = False
    """Whether the teachers of `generate` shorten the texts that are longer than `items.max_tokens`. Of what
    they write only that is read whose words all stand in the text; else the text is cut."""
    forms: list[AllmrecForm] = Field(default=["llmsrec"], min_length=1)
    """Which rankers stage 2 trains: `llmsrec` reads a history once and each item once for all users,
    `allmrec` reads the history and `num_candidates` candidates for every list, which takes far longer;
    `allmrec_list` goes on with the history as a list, of which every title is trained on."""
    model: str = "base"
    """The frozen language model: `base` is that of the stage `base`, `sft` the same with the adapter of the
    stage `sft`; or any reference that `models.base` may be."""
    load_in_4bit: bool = False
    """Whether its linear layers are loaded in 4 bits (NF4)."""
    compute_dtype: Literal["auto", "native", "float32", "bfloat16", "float16"] = "auto"
    """Type of the computation, as in `models`; weights that are not quantised have it too."""
    locale: Locale = "en"
    """Language of the prompts."""
    cases: PositiveInt = 2000
    """Likes of train users that stage 2 is trained on, each with those before it; every user once before any
    twice."""
    num_train_epochs: PositiveInt = 5
    """Epochs at most."""
    learning_rate: PositiveFloat = 1e-3
    """Learning rate of AdamW, after a warm-up of 20 steps."""
    per_device_train_batch_size: dict[AllmrecForm, PositiveInt] = Field(
        default={"llmsrec": 16, "allmrec": 4, "allmrec_list": 4}
    )
    """Cases per process and step, by form. A step has this x processes x machines cases; for `llmsrec` they
    are each other's negatives, too."""
    early_stopping_patience: PositiveInt = 2
    """Epochs without a lower held-out loss after which training ends; the best weights are kept."""
    num_candidates: PositiveInt = 20
    """Candidates that the language model ranks in `allmrec` and `allmrec_list`; of more, these are the first
    ones of `allmrec_items`."""
    wish_share: Fraction = 0.2
    """Share of the training cases of `allmrec` and `allmrec_list` that ask for one of the target's categories
    in words, so that wishes are heeded."""
    normalised: bool = False
    """Whether `allmrec` and `allmrec_list` score a title by the mean over its tokens, not by their sum."""
    negatives: PositiveInt = 16
    """Items that are drawn for a step of `llmsrec`, beside the targets of its cases."""
    distillation: Weight = 1.0
    """Weight of the loss by which the user's vector of `llmsrec` learns from the recommender's state."""
    uniformity: Weight = 0.1
    """Weight of the loss by which users' vectors of `llmsrec` spread."""
    users: NonNegativeInt = 200
    """Validation users of `fit` on whom the new rankers are compared with what was chosen, at most; 0
    compares nothing, and nothing is taken. Reading for them takes as long as training on as many cases."""
    seed: int = 7
    """Seed of all that is drawn."""
    zero_stage: int = runtime_only(0)
    """0 is all there is: what is trained is a few million numbers, of which nothing is partitioned, and every
    process holds the whole frozen model."""
    processes: PositiveInt = runtime_only(1)
    """Processes on each machine in stage 2, one per accelerator. Only the total number is part of the key."""
    machines: PositiveInt = runtime_only(1)
    """Number of machines that train together; `rectune run` prints the command for all but the first."""
    endpoint: str = runtime_only("", validate_default=True)
    """host:port of the first machine, for the rendezvous; required for several machines."""
    save_seconds: Annotated[float, Field(ge=0.0)] = runtime_only(60.0)
    """Seconds between checkpoints of stage 2: what is lost when a run is killed."""
    max_loss_ratio: Annotated[float, Field(ge=0.0)] = runtime_only(10.0)
    """A loss above this multiple of the median of the steps before ends stage 2 with an error; 0 never
    does."""

    @field_validator("endpoint")
    @classmethod
    def _several_machines_meet(cls, endpoint: str, info: ValidationInfo) -> str:
        return check_endpoint(endpoint, info.data.get("machines", 1))

    @field_validator("zero_stage")
    @classmethod
    def _not_partitioned(cls, stage: int) -> int:
        if stage:
            raise ValueError(
                "only 0 is there: the frozen model is not partitioned (load_in_4bit makes it smaller)"
            )
        return stage

    @model_validator(mode="after")
    def _states_that_there_are(self) -> Self:
        if self.recommender == "bert4rec" and self.items.positions != "last":
            raise ValueError("bert4rec has a state after the last item alone: set items.positions: last")
        if lacking := [form for form in self.forms if form not in self.per_device_train_batch_size]:
            raise ValueError(f"per_device_train_batch_size has no number for {', '.join(lacking)}")
        return self
