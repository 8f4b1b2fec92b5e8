"""The sections `train` and `align`."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationInfo, field_validator

from rectune.core.settings.base import Count, Fraction, Offload, Section, free

# What torch's rendezvous reads: a name, an IPv4 address, or an IPv6 address in brackets; and a port.
_ENDPOINT = re.compile(r"(?:[A-Za-z0-9_][\w.-]*|\[[0-9A-Fa-f:.]+\]):(?P<port>[0-9]{1,5})", re.ASCII)


class Lora(Section):
    """Low-rank adapters (Hu et al. 2021). `targets` is `all-linear` or a list of module names.

    `extra` is handed to peft's LoraConfig as it is: use_rslora, init_lora_weights, modules_to_save and so on.
    """

    r: Count = 16
    alpha: Count = 32
    dropout: Fraction = 0.05
    targets: str | list[str] = "all-linear"
    extra: dict[str, Any] = Field(default={})


class Optimisation(Section):
    """One training stage. `batch_size` counts rows a process and step, so the number of processes changes what it sees.

    `processes` run on each of so many `machines`; only their product is in the key. Several machines meet at
    `endpoint`, host:port of the first, and `rectune run` prints what to type on each of the others.

    `max_length` bounds the tokens of prompt and response together; longer rows are left out and counted.
    `zero` is DeepSpeed's ZeRO stage; `offload` moves the optimiser (2, 3) or the parameters too (3) to host memory.
    """

    epochs: Annotated[float, Field(gt=0.0)] = 1.0
    learning_rate: Annotated[float, Field(gt=0.0)] = 2e-4
    batch_size: Count = 4
    accumulation: Count = 1
    max_length: Count = 768
    warmup_ratio: Fraction = 0.05
    schedule: Literal["cosine", "linear", "constant"] = "cosine"
    weight_decay: Annotated[float, Field(ge=0.0)] = 0.0
    max_grad_norm: Annotated[float, Field(gt=0.0)] = 1.0
    gradient_checkpointing: bool = False
    zero: Literal[0, 1, 2, 3] = 2
    offload: Offload = "none"
    seed: int = 0
    processes: Count = free(1)
    machines: Count = free(1)
    endpoint: str = free("", validate_default=True)
    log_steps: Count = free(1)
    save_steps: Count = free(10)
    report_to: list[Literal["tensorboard", "wandb", "trackio"]] = free([])

    @field_validator("endpoint")
    @classmethod
    def _several_machines_meet(cls, endpoint: str, info: ValidationInfo) -> str:
        if not endpoint and info.data.get("machines", 1) > 1:
            raise ValueError("several machines need one, host:port of the first, as node1:29400")
        match = _ENDPOINT.fullmatch(endpoint)
        if endpoint and not (match and 0 < int(match["port"]) < 2**16):
            raise ValueError(f"{endpoint!r} is not host:port, as node1:29400")
        return endpoint


class Train(Optimisation):
    """Supervised fine-tuning (QLoRA, Dettmers et al. 2023).

    `packing` puts several examples into one row of at most `max_length` tokens, blind to each other; `batch_size` then
    counts such rows. `attention` `auto` is flash_attention_2 where it can run, `blocks` (each packed example
    by itself, `rectune.models.attention`) on a processor, else sdpa. `liger` swaps in Liger's kernels.

    `holdout` is the share of users who are never trained on. The loss on them is taken every `eval_steps` optimiser
    steps, and the adapter that was best is kept; after `patience` evaluations without gain training ends (0: never).
    A loss above `max_loss_ratio` times the median of the steps before ends the run with an error (0: never).
    """

    lora: Lora = Lora()
    packing: bool = False
    attention: Literal["auto", "blocks", "sdpa", "flash_attention_2", "eager"] = "auto"
    liger: bool = False
    holdout: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.05
    eval_steps: Count = 50
    patience: Annotated[int, Field(ge=0)] = 0
    max_loss_ratio: Annotated[float, Field(ge=0.0)] = free(0.0)


LossType = Literal[
    "sigmoid", "sigmoid_norm", "robust", "hinge", "ipo", "exo_pair", "nca_pair", "bco_pair", "sppo_hard",
    "aot", "aot_unpaired", "apo_zero", "apo_down", "discopop", "sft",
]  # fmt: skip

# The only losses in which trl 1.16 looks at label smoothing; to all others it would silently mean nothing.
_SMOOTHED = {"robust", "exo_pair", "aot", "aot_unpaired"}


class Align(Optimisation):
    """DPO (Rafailov et al. 2023) on tagged answers.

    `annotator` is `person` (wait for tags made with `rectune tag`) or `simulated` (a published rule stands in, and every
    artefact says so). `tags` names the file tags/<name>.sqlite. `pairs`: `best_worst` makes one pair a tag, `all` what a
    tag implies (best over the middle ones over worst). `conflicts` says what becomes of pairs that annotators order
    differently: the `majority`'s order (ties are left out), or `drop`. `embedder` measures how near answers come to the
    true next item.

    `beta` weighs the distance to the reference. `loss_types` are trl's, added up with `loss_weights`; `sft` is the mean
    loss on the chosen answer. `label_smoothing` is the share of pairs that may be the wrong way round (`robust`).
    `reference_log_probs` are taken `precomputed`, before the first step, or in `each_step`. `holdout` is the share of
    users whose pairs are never trained on; `eval_steps` and `patience` are as in `train`.
    """

    annotator: Literal["person", "simulated"] = "person"
    tags: Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]+$")] = "default"
    pairs: Literal["best_worst", "all"] = "best_worst"
    conflicts: Literal["majority", "drop"] = "majority"
    embedder: str = "embedded"
    beta: Annotated[float, Field(gt=0.0)] = 0.1
    loss_types: list[LossType] = Field(default=["sigmoid"], min_length=1)
    loss_weights: list[Annotated[float, Field(gt=0.0)]] = Field(default=[1.0], validate_default=True)
    label_smoothing: Annotated[float, Field(ge=0.0, lt=0.5, validate_default=True)] = 0.0
    reference_log_probs: Literal["precomputed", "each_step"] = free("precomputed")
    holdout: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.1
    eval_steps: Count = 50
    patience: Annotated[int, Field(ge=0)] = 0

    @field_validator("loss_weights")
    @classmethod
    def _one_weight_a_loss(cls, weights: list[float], info: ValidationInfo) -> list[float]:
        types = info.data.get("loss_types", weights)
        if len(weights) != len(types):
            raise ValueError(f"{len(types)} loss_types want {len(types)} weights")
        return weights

    @field_validator("label_smoothing")
    @classmethod
    def _smoothing_means_something(cls, share: float, info: ValidationInfo) -> float:
        types = set(info.data.get("loss_types", ()))
        if share and not types & _SMOOTHED:
            raise ValueError(f"changes nothing here; loss_types that use it: {', '.join(sorted(_SMOOTHED))}")
        if not share and "exo_pair" in types:
            raise ValueError("exo_pair needs some, 0.001 say")
        return share
