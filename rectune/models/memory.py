"""Memory of a training step by arithmetic: weights, adapters, optimiser state, activations.

The elements of the layers and what autograd keeps of them come from a forward pass without data
(`MetaModel`), the rest from how the step is computed: NF4 as in Dettmers et al. 2023 (section 3), and ZeRO's
division among processes as in Rajbhandari et al. 2020 (section 5).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rectune.core.settings import ModelsConfig, TrainingConfig
from rectune.models.deepspeed_config import BUCKET

if TYPE_CHECKING:
    from rectune.models.meta_model import MetaModel

NF4_BYTES = 0.5 + 1 / 64 + 4 / (64 * 256)  # a weight: 4 bits, a byte a block of 64, 4 bytes 256 such blocks
_ADAM = 8  # bytes a trained element: two float32 moments
_MASTER = 4  # bytes a trained element: the float32 copy that DeepSpeed steps on
# Resident bytes on a CPU for each byte that is kept: blocks that are freed between those that stay are not
# given back. Measured with the C library's allocator, 135M model, rows of 620 tokens: 1.66 to 1.83.
_HEAP = 1.75
_HEAD_TILE = (4096, 32768)  # trl projects so many positions onto so many words of the vocabulary at once
_AHEAD = 50_000_000  # elements that ZeRO-3 fetches ahead of their use; DeepSpeed's default


@dataclass(frozen=True)
class TrainingStep:
    """The batch of one process: `rows` sequences padded to `length` tokens, `trained` tokens labelled."""

    rows: int
    length: int
    trained: int


@dataclass(frozen=True)
class MemoryEstimate:
    """Bytes a process: on the device by what holds them, and in host memory where something is offloaded."""

    device: dict[str, int]
    host: dict[str, int]

    @property
    def total(self) -> int:
        """All bytes on the device."""
        return sum(self.device.values())


@dataclass(frozen=True)
class TrainingSetup:
    """Settings and number of processes of a training stage; `reference`: DPO's copy of the adapters."""

    settings: TrainingConfig
    world_size: int
    reference: bool = False

    @property
    def sequences(self) -> int:
        """Sequences of a row: DPO computes the chosen and the rejected answer, each after the prompt."""
        return 2 if self.reference else 1


def estimate(
    model: MetaModel, models: ModelsConfig, training: TrainingSetup, step: TrainingStep, overhead: int
) -> MemoryEstimate:
    """Peak memory of one process; `overhead` is the framework's bytes."""
    settings, host = training.settings, dict[str, int]()
    weights, trained = weight_bytes(model, models), trained_bytes(model, training)
    share = math.ceil(weights / training.world_size)
    device = {
        "weights": share + _gathered(model, models, training.world_size)
        if settings.zero_stage == 3
        else weights,
        "adapters and gradients": trained["here"],
        "optimiser": trained["optimiser"],
    }
    if settings.offload != "none":
        host["optimiser"] = device.pop("optimiser")
    if settings.offload == "parameters":
        host["weights"] = share
        device["weights"] -= share
    device["activations"] = activation_bytes(model, settings, step)
    device["logits"] = logit_bytes(model, step)
    device["buffers"] = _buffers(model, models, settings)
    device["framework"] = overhead
    return MemoryEstimate(device, host)


def weight_bytes(model: MetaModel, models: ModelsConfig) -> int:
    """Bytes of the base model: linear layers in NF4 if asked for, the rest in the type of the activations."""
    if not models.load_in_4bit:
        return model.parameters * model.precision
    quantised = sum(model.in_4bit)
    return round(quantised * NF4_BYTES) + (model.parameters - quantised) * model.precision


def trained_bytes(model: MetaModel, training: TrainingSetup) -> dict[str, int]:
    """Bytes of what is trained: `here` adapters, gradients, DPO's reference; `optimiser` Adam's state.

    `optimiser` includes the float32 copy.

    ZeRO-1 divides the optimiser among the processes, ZeRO-2 the gradients too, ZeRO-3 the adapters as well.
    Without DeepSpeed adapters are float32; with it they have the type of the activations.
    """
    zero, world_size, adapters = training.settings.zero_stage, training.world_size, model.adapters
    copies, element = 2 if training.reference else 1, model.precision if zero else _MASTER
    kept = adapters * element * copies / (world_size if zero == 3 else 1)
    gradients = adapters * element / (world_size if zero >= 2 else 1)
    optimiser = adapters * (_ADAM + (_MASTER if zero else 0)) / (world_size if zero else 1)
    return {"here": math.ceil(kept + gradients), "optimiser": math.ceil(optimiser)}


def activation_bytes(model: MetaModel, settings: TrainingConfig, step: TrainingStep) -> int:
    """Bytes kept from the forward pass for the backward pass, and the backward pass's own temporaries.

    With gradient checkpointing only every block's input is kept, and one block's activations at a time.
    """
    one = model.forward(step.rows, step.length)
    blocks = one.inputs + max(one.blocks) if settings.gradient_checkpointing else sum(one.blocks)
    kept = blocks + one.outside
    return (kept if model.gpu else round(_HEAP * kept)) + 3 * one.widest


def logit_bytes(model: MetaModel, step: TrainingStep) -> int:
    """Bytes at the head: hidden states of labelled positions and their gradients, and one tile of logits."""
    positions, words = min(step.trained, _HEAD_TILE[0]), min(model.vocabulary, _HEAD_TILE[1])
    temporary = 1 if model.gpu else 2  # on a CPU the tile is worked on in PyTorch, with a copy
    states = step.trained * model.hidden * (model.precision + 4)
    return states + positions * words * model.precision * temporary


def _gathered(model: MetaModel, models: ModelsConfig, world_size: int) -> int:
    """Bytes of whole weights that ZeRO-3 has gathered: embeddings, two blocks, and what it prefetches."""
    if world_size == 1:
        return 0
    whole, tables = weight_bytes(model, models), model.embeddings * model.precision
    ahead = _AHEAD * (1 if models.load_in_4bit else model.precision)
    blocks = (whole - tables - model.untied_head * model.precision) // model.layers
    return min(tables + 2 * blocks + ahead, whole - whole // world_size)


def _buffers(model: MetaModel, models: ModelsConfig, settings: TrainingConfig) -> int:
    """Bytes of the largest 4-bit layer dequantised, and of DeepSpeed's buckets on a GPU."""
    buckets = 2 * BUCKET * model.precision if model.gpu and settings.zero_stage >= 2 else 0
    return (max(model.in_4bit, default=0) * model.precision if models.load_in_4bit else 0) + buckets


def step_flops(model: MetaModel, training: TrainingSetup, tokens: int, length: int) -> float:
    """Floating-point operations of a forward and backward pass over so many tokens in rows of `length`.

    2 a multiplication forward and 2 backward (frozen weights have no gradient of their own), 2 more for
    adapters' gradients, 2 again where checkpointing computes the forward pass twice, and 2 for DPO's
    reference.
    """
    passes = 4 + (2 if training.settings.gradient_checkpointing else 0) + (2 if training.reference else 0)
    one = model.forward(1, length)
    frozen = (one.products + one.attention) / length + model.vocabulary * model.hidden
    return tokens * (passes * frozen + (passes + 2) * model.adapters)
