"""The sections `train` and `align`."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationInfo, field_validator

from rectune.core.settings.base import (
    Fraction,
    NonNegativeInt,
    Offload,
    PositiveFloat,
    PositiveInt,
    Section,
    runtime_only,
)

EvalFraction = Annotated[float, Field(ge=0.0, lt=1.0)]

# What torch's rendezvous reads: a name, an IPv4 address, or an IPv6 address in brackets; and a port.
_ENDPOINT = re.compile(r"(?:[A-Za-z0-9_][\w.-]*|\[[0-9A-Fa-f:.]+\]):(?P<port>[0-9]{1,5})", re.ASCII)


class LoraSection(Section):
    """Low-rank adapters (Hu et al. 2021)."""

    r: PositiveInt = 64
    """Rank of the adapters. Higher ranks can learn more and take more memory."""
    lora_alpha: PositiveInt = 128
    """Scale of the adapters: their output is multiplied by lora_alpha / r."""
    lora_dropout: Fraction = 0.05
    """Dropout probability of the adapters' inputs."""
    target_modules: str | list[str] = "all-linear"
    """The layers that get adapters: `all-linear`, or a list of module names."""
    extra: dict[str, Any] = Field(default={})
    """Other arguments of peft's LoraConfig, as `{use_rslora: true}`."""


class TrainingConfig(Section):
    """One training stage."""

    num_train_epochs: PositiveFloat = 1.0
    """Epochs; a fraction of an epoch is possible."""
    learning_rate: PositiveFloat = 1e-4
    """Peak learning rate of AdamW. Use higher values for small models and few rows."""
    per_device_train_batch_size: PositiveInt = 4
    """Rows per process and batch. A step has this x gradient_accumulation_steps x processes x machines
    rows."""
    gradient_accumulation_steps: PositiveInt = 1
    """Batches whose gradients are summed for one optimiser step: more rows per step in the same memory."""
    max_length: PositiveInt = 2048
    """Maximum number of tokens of prompt and response together; longer rows are left out and counted."""
    warmup_ratio: Fraction = 0.1
    """Share of the steps in which the learning rate rises from 0 to its peak."""
    lr_scheduler_type: Literal["cosine", "linear", "constant"] = "cosine"
    """How the learning rate falls after that."""
    weight_decay: Annotated[float, Field(ge=0.0)] = 0.0
    """AdamW's weight decay, of the adapters."""
    max_grad_norm: PositiveFloat = 1.0
    """Maximum gradient norm; longer gradients are clipped to it."""
    gradient_checkpointing: bool = True
    """Whether activations are recomputed in the backward pass: less memory, one more forward pass a step."""
    zero_stage: Literal[0, 1, 2, 3] = 2
    """DeepSpeed's ZeRO stage: what is partitioned among the processes. 0 nothing, 1 optimiser state, 2 and
    gradients, 3 and weights."""
    offload: Offload = "none"
    """What is offloaded to host memory: the optimiser (ZeRO 2, 3), or also the parameters (3). Less device
    memory, slower."""
    seed: int = 7
    """Seed of the adapters' initial weights, of the order of rows, and of dropout."""
    processes: PositiveInt = runtime_only(1)
    """Processes on each machine, one per accelerator. Only the total number is part of the key."""
    machines: PositiveInt = runtime_only(1)
    """Number of machines that train together; `rectune run` prints the command for all but the first."""
    endpoint: str = runtime_only("", validate_default=True)
    """host:port of the first machine, for the rendezvous; required for several machines."""
    logging_steps: PositiveInt = runtime_only(10)
    """Optimiser steps between lines of the log."""
    save_steps: PositiveInt = runtime_only(200)
    """Optimiser steps between checkpoints: at most this many are lost when a run is killed."""
    report_to: list[Literal["tensorboard", "wandb", "trackio"]] = runtime_only(["tensorboard"])
    """Trackers for the log; `wandb` and `trackio` must be installed."""

    @field_validator("endpoint")
    @classmethod
    def _several_machines_meet(cls, endpoint: str, info: ValidationInfo) -> str:
        return check_endpoint(endpoint, info.data.get("machines", 1))


def check_endpoint(endpoint: str, machines: int) -> str:
    """The endpoint of several machines, as it was given; raises ValueError where it is none."""
    if not endpoint and machines > 1:
        raise ValueError("several machines need one, host:port of the first, as node1:29400")
    match = _ENDPOINT.fullmatch(endpoint)
    if endpoint and not (match and 0 < int(match["port"]) < 2**16):
        raise ValueError(f"{endpoint!r} is not host:port, as node1:29400")
    return endpoint


class TrainConfig(TrainingConfig):
    """Supervised fine-tuning (QLoRA, Dettmers et al. 2023)."""

    lora: LoraSection = LoraSection()
    """The adapters that are trained."""
    history_lists: NonNegativeInt = 0
    """Histories of train users that are trained on besides the kept examples, each as a list of at most 20
    liked titles, domains in turn: for ranking by `continuation`."""
    packing: bool = True
    """Whether several examples, without attention between them, share a row of `max_length` tokens;
    `per_device_train_batch_size` then counts such rows."""
    attn_implementation: Literal["auto", "blocks", "sdpa", "flash_attention_2", "eager"] = "auto"
    """`auto` is flash_attention_2 where it can run, `blocks` (each packed example separately) on a CPU, else
    sdpa."""
    use_liger_kernel: bool = False
    """Whether Liger's kernels are used: faster, with less memory; needs an accelerator."""
    eval_user_fraction: EvalFraction = 0.05
    """Share of users who are held out from training. The adapter that is best on them is kept."""
    eval_steps: PositiveInt = 200
    """Optimiser steps between evaluations on those users."""
    early_stopping_patience: NonNegativeInt = 5
    """Evaluations without gain after which training ends; 0 trains to the end."""
    max_loss_ratio: Annotated[float, Field(ge=0.0)] = runtime_only(10.0)
    """A loss above this multiple of the median of the steps before ends the run with an error; 0 never
    does."""


LossType = Literal[
    "sigmoid", "sigmoid_norm", "robust", "hinge", "ipo", "exo_pair", "nca_pair", "bco_pair", "sppo_hard",
    "aot", "aot_unpaired", "apo_zero", "apo_down", "discopop", "sft",
]  # fmt: skip

SOFTMAX_LOSSES = {"sigmoid", "sft"}  # those that take several rejected answers at once

# The only losses in which trl 1.16 looks at label smoothing; to all others it would silently mean nothing.
_SMOOTHED = {"robust", "exo_pair", "aot", "aot_unpaired"}


class AlignConfig(TrainingConfig):
    """DPO (Rafailov et al. 2023) on tagged answers; it continues training the adapters of `train`."""

    learning_rate: PositiveFloat = 5e-7
    """Peak learning rate of AdamW, far below that of `train`: DPO starts from a tuned model."""
    per_device_train_batch_size: PositiveInt = 2
    """Pairs per process and batch. A step has this x gradient_accumulation_steps x processes x machines
    pairs."""
    max_length: PositiveInt = 2112
    """Maximum number of tokens of prompt and answer together; longer pairs are left out and counted."""
    lr_scheduler_type: Literal["cosine", "linear", "constant"] = "linear"
    """How the learning rate falls after its peak."""
    annotator: Literal["person", "simulated"] = "person"
    """`person` waits for tags made with `rectune tag`; `simulated` uses a fixed rule instead, and everything
    made from it says so."""
    tags: Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]+$")] = "default"
    """Name of the file of tags, tags/NAME.sqlite. Recipes that name the same one share their tags."""
    pairs: Literal["best_worst", "all"] = "best_worst"
    """Pairs of a tag: one, or `all` that it implies (best over the others over worst)."""
    conflicts: Literal["majority", "drop"] = "majority"
    """How pairs that annotators order differently are resolved: the order that more of them gave (ties are
    left out), or `drop`."""
    embedder: str = "embedded"
    """Embedding model for the similarity of answers to the target, a check of the tags: `embedded` (MiniLM,
    English) or a sentence-transformers Hub id."""
    beta: PositiveFloat = 0.1
    """DPO's beta: strength of the penalty for leaving the reference model; lower values allow more change."""
    loss_type: list[LossType] = Field(default=["sigmoid"], min_length=1)
    """Losses of trl's DPO, summed; `[sigmoid, sft]` keeps the chosen answers likely."""
    loss_weights: list[PositiveFloat] = Field(default=[1.0])
    """Weights of the losses, one per loss."""
    label_smoothing: Annotated[float, Field(ge=0.0, lt=0.5)] = 0.0
    """Assumed share of flipped pairs, for losses that use it: robust, exo_pair, aot, aot_unpaired."""
    ranking_pairs: NonNegativeInt = 0
    """Cases that give pairs for ranking beside the tagged ones: an answer that recommends the item really
    taken over answers that recommend other candidates. They are of tagged users first, then of users that
    `train` saw, never of test users."""
    ranking_negatives: PositiveInt = 3
    """Other candidates of each such case that are rejected together (S-DPO, Chen et al. 2024); 1 is DPO
    itself."""
    ranking_answers: Literal["whole", "ending"] = "whole"
    """What the answers of such a case are: `whole` as in `train` (reasons, then the closing line or the
    ranking), or the `ending` alone, which is what ranking by likelihood looks at."""
    precompute_ref_log_probs: bool = runtime_only(True)
    """Whether the log-probabilities of the reference model are computed once, before the first step, and not
    in each step."""
    eval_user_fraction: EvalFraction = 0.1
    """Share of users whose pairs are held out from training. The adapter that is best on them is kept."""
    eval_steps: PositiveInt = 50
    """Optimiser steps between evaluations on their pairs."""
    early_stopping_patience: NonNegativeInt = 0
    """Evaluations without gain after which training ends; 0 trains to the end."""
    watched_prompts: NonNegativeInt = runtime_only(4)
    """Held-out prompts that are answered before and after training, to be read by eye; 0 answers none."""

    @field_validator("loss_weights")
    @classmethod
    def _one_weight_a_loss(cls, weights: list[float], info: ValidationInfo) -> list[float]:
        types = info.data.get("loss_type", weights)
        if len(weights) != len(types):
            raise ValueError(f"{len(types)} losses in loss_type want {len(types)} weights")
        return weights

    @field_validator("label_smoothing")
    @classmethod
    def _smoothing_means_something(cls, share: float, info: ValidationInfo) -> float:
        types = set(info.data.get("loss_type", ()))
        if share and not types & _SMOOTHED:
            raise ValueError(f"changes nothing here; losses that use it: {', '.join(sorted(_SMOOTHED))}")
        if not share and "exo_pair" in types:
            raise ValueError("exo_pair needs some, 0.001 say")
        return share

    @field_validator("ranking_negatives")
    @classmethod
    def _several_negatives_have_a_loss(cls, negatives: int, info: ValidationInfo) -> int:
        others = set(info.data.get("loss_type", ())) - SOFTMAX_LOSSES
        if negatives > 1 and info.data.get("ranking_pairs") and others:
            raise ValueError(
                f"several are trained with sigmoid and sft only, not with {', '.join(sorted(others))}; give 1"
            )
        return negatives
